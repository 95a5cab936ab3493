from tests.unit.saas.access.world import world

__all__ = ["world"]
