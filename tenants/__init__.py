"""Tenancy: the registry of tenants, one PostgreSQL schema for each, and how a request finds its own.

This package knows nothing of OAuth, of a web framework or of the product above it.
"""
