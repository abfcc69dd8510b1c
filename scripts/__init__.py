"""Campaigns that run longer than a test may."""
