"""What tenants and their clients use, by the hour: counted by the limiter, collected by the worker, shown to people."""
