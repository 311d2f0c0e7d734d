"""Shows, episodes and downloads."""

import django.db.models.deletion
import podcast.models
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Episode",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("title", models.CharField(max_length=100)),
                ("slug", models.SlugField(max_length=110)),
                (
                    "audio",
                    podcast.models.PlacedFileField(
                        max_length=255, upload_to=podcast.models.upload_path
                    ),
                ),
                (
                    "notes",
                    podcast.models.PlacedFileField(
                        blank=True, max_length=255, upload_to=podcast.models.upload_path
                    ),
                ),
                ("published", models.DateTimeField()),
                (
                    "duration",
                    models.FloatField(blank=True, help_text="seconds; empty: unknown", null=True),
                ),
                ("description", models.TextField(blank=True)),
            ],
            options={
                "ordering": ("-published",),
            },
        ),
        migrations.CreateModel(
            name="Show",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("title", models.CharField(max_length=100)),
                ("slug", models.SlugField(unique=True)),
                ("description", models.TextField()),
                ("members_only", models.BooleanField(default=False)),
                (
                    "place",
                    models.CharField(
                        choices=[
                            ("default", "a folder"),
                            ("members", "a folder for members"),
                            ("objects", "an S3 store"),
                        ],
                        default="default",
                        max_length=20,
                    ),
                ),
            ],
            options={
                "ordering": ("pk",),
            },
        ),
        migrations.CreateModel(
            name="Download",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("when", models.DateTimeField(auto_now_add=True, db_index=True)),
                ("path", models.CharField(max_length=500)),
                ("method", models.CharField(max_length=10)),
                ("status", models.PositiveSmallIntegerField()),
                ("way", models.CharField(max_length=20)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("completed", "Completed"),
                            ("aborted", "Aborted"),
                            ("error", "Error"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "bytes",
                    models.BigIntegerField(
                        help_text="empty: only the server in front knows", null=True
                    ),
                ),
                ("duration", models.FloatField(help_text="seconds")),
                (
                    "episode",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to="podcast.episode",
                    ),
                ),
            ],
            options={
                "ordering": ("-pk",),
            },
        ),
        migrations.AddField(
            model_name="episode",
            name="show",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="episodes",
                to="podcast.show",
            ),
        ),
        migrations.AddConstraint(
            model_name="episode",
            constraint=models.UniqueConstraint(fields=("show", "slug"), name="one_slug_per_show"),
        ),
    ]
