"""CT: windows by organ, lungs."""
