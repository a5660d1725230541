"""The page: repair photos with a brush, in a browser, served from this machine to this machine."""
