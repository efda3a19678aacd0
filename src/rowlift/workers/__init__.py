"""What goes on beside requests: in threads of the service."""
