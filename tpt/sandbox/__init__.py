"""Running programs that nobody has read, where they can do no harm."""
