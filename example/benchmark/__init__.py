"""How fast objects come out of an S3 store through Django, and through others."""
