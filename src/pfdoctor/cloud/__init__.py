"""Which Azure, which credential, and the pipeline that only reads. Imports azure-*: only commands that go live do."""
