"""Running untrusted programs where they can do no harm."""
