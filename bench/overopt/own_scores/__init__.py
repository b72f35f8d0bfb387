"""Best-of-n curves of somebody's own scored samples."""
