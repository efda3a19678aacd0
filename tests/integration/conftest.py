from postgres_shop import shop

__all__ = ["shop"]
