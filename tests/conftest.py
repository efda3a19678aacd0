pytest_plugins = ["doors.plugin", "servers.plugin"]
