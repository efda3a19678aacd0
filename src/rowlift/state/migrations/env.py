"""Run migrations on the connection that rowlift.state.migrate hands over."""

from alembic import context

from rowlift.db import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
