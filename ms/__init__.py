"""M/s: a small compiled language in which a master hands jobs to slaves on other machines."""

__version__ = "0.1.0"
