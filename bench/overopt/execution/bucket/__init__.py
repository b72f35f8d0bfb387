"""A store on an object store (S3), with a folder of this machine as its cache."""
