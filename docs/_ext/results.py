"""The directive ``run``: code with what it prints and draws, as :mod:`page_code` keeps it.

With ``-D run_code=0`` pages have their code alone.
"""

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from page_code import KEPT, Program, folder_of


class Run(Directive):
    """``.. run::`` with code beneath, and ``:alt:`` where it draws."""

    has_content = True
    option_spec = {"alt": directives.unchanged_required}  # noqa: RUF012 (docutils asks for it)

    def run(self):
        """The code, what it printed, its value, its figures."""
        env = self.state.document.settings.env
        code = "\n".join(self.content)
        block = nodes.literal_block(code, code, language="python")
        if not env.config.run_code:
            return [block]
        folder = folder_of(env.doc2path(env.docname))
        program = env.temp_data.setdefault("skfer_program", Program(folder))
        try:
            shown = program.show(code)
        except Exception as error:
            raise self.error(f"this code fails: {type(error).__name__}: {error}") from error
        if shown.figures and "alt" not in self.options:
            raise self.error("this code draws: say what is to be seen in :alt:")
        return [block, *self.results(shown, program)]

    def results(self, shown, program):
        """Nodes for all but the code."""
        found = []
        if shown.text.strip():
            text = shown.text.rstrip()
            # A table is smaller rather than broken; a long message breaks.
            wide = sum(len(line) > 100 for line in text.splitlines()) > 2
            classes = ["output", "wide"] if wide else ["output"]
            found.append(nodes.literal_block(text, text, language="none", classes=classes))
        if shown.html:
            box = nodes.container(classes=["output-html"])
            box += nodes.raw("", shown.html, format="html")
            found.append(box)
        for path in program.pictures():
            uri = f"/{KEPT.name}/{path.relative_to(KEPT).as_posix()}"
            found.append(nodes.image(uri=uri, alt=self.options["alt"]))
        return found


def setup(app):
    """Tell sphinx of the directive."""
    app.add_config_value("run_code", default=True, rebuild="env", types=[bool, str])
    app.add_directive("run", Run)
    return {"parallel_read_safe": True}
