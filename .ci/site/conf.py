"""Sphinx settings; the metadata comes from settings.ini and pyproject.toml."""

from configparser import ConfigParser
from pathlib import Path

from nbdev.config import get_config


def colors(brand: str, visited: str) -> dict[str, str]:
    """The site's colours as furo's variables."""
    names = ("brand-primary", "brand-content", "api-name", "api-pre-name")
    return {f"color-{name}": brand for name in names} | {"color-brand-visited": visited}


root = Path(__file__).resolve().parents[2]
settings = ConfigParser(delimiters=["="])
settings.read(root / "settings.ini", encoding="utf-8")
project = settings["DEFAULT"]["name"]
release = version = settings["DEFAULT"]["version"]

extensions = ["myst_nb", "sphinx_copybutton"]
root_doc = "index"
suppress_warnings = ["ref.python"]  # a type that two modules name
add_module_names = False
maximum_signature_line_length = 68
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "gfm"
myst_all_links_external = True
myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "strikethrough"]
copybutton_selector = "div.cell_input pre, div.highlight-bash pre, div.highlight-console pre, div.highlight-python pre"
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "furo"
html_theme_options = {
    "light_css_variables": {**colors("#0b6b6b", "#5b4a9c"), "color-code-background": "#f6f8fa"},
    "dark_css_variables": colors("#63d2c6", "#b9a8f0"),
}
html_title = f"{project} {release}"
html_baseurl = get_config(root).doc_url
html_static_path = [str(Path(__file__).with_name("custom.css"))]
html_css_files = ["custom.css"]
html_copy_source = False
html_show_copyright = False
html_use_index = False
html_domain_indices = False
html_last_updated_fmt = None
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "github-dark-high-contrast"
