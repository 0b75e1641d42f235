"""A package that adds a task, an engine and a tracker; `test_plugins` installs it into folders of its own."""
