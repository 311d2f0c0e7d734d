"""What downloads through Django cost, beside other ways: files, objects of an S3 store, rows and archives."""
