"""Migrations of the platform's schema and of every tenant's: a revision is rendered once and applied to N schemas."""
