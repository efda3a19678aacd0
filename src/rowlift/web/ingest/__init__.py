"""The ingest API: Segment's tracking protocol, so that its SDKs work unchanged."""
