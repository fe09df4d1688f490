"""Local accounts (LOCAL_ACCOUNTS): sign-in with a password and a second factor, without an identity provider."""
