"""What `scripts/bench.py` measures: each module is one measurement against a real gunicorn on loopback."""
