"""Alembic revisions: `platform` for the registry's schema, `tenant` for the schema that each tenant has."""
