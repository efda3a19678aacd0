"""What connectors share: configuration, SQL guard, DB-API to Arrow, guarded HTTP."""
