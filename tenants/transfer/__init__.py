"""Carry a tenant: out to an archive, in from one, or over to another database.

What the product keeps in a tenant's tables is not known here: `portable.Portable` says what is sealed and what stays.
"""
