"""Background work, tenant by tenant: what expired is deleted, keys are rotated, logouts are told."""
