"""Local accounts (LOCAL_ACCOUNTS): people whom the portal itself knows, by password and second factor."""
