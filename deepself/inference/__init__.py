"""A trained model or fusion in use elsewhere: exported, loaded, asked."""
