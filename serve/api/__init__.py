"""REST, WebSocket and page."""
