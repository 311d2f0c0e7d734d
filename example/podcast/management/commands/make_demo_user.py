"""`manage.py make_demo_user`: an account to log in with."""

from typing import Any

from django.core.management.base import BaseCommand
from podcast.accounts import NAME, PASSWORD, make_demo_user


class Command(BaseCommand):
    """Makes the account whose password everybody may know; not for a site on the web."""

    help = "Make the demo account."

    def handle(self, **options: Any) -> None:
        """Make it, and tell its password."""
        make_demo_user()
        self.stdout.write(f"Log in as {NAME}, with the password {PASSWORD}")
