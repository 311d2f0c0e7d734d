"""The one account that the example makes, so that everybody can be a member."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.views import LoginView

NAME, PASSWORD = "demo", "listen-to-this"


def make_demo_user() -> None:
    """Make the account, or let it have its password again."""
    user, _ = get_user_model().objects.get_or_create(username=NAME)
    if not user.check_password(PASSWORD):
        user.set_password(PASSWORD)
        user.save()


class DemoLoginView(LoginView):
    """The login, which tells name and password where there is such a user."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With the account that the example has made."""
        has_user = get_user_model().objects.filter(username=NAME).exists()
        demo = {"name": NAME, "password": PASSWORD} if has_user else None
        return super().get_context_data(**kwargs, demo=demo)
