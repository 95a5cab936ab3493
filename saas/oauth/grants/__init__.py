"""What clients are granted: consents, codes, refresh token families, device codes, pushed requests."""
