import os

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from deepself.errors import UserError
from deepself.graph import SOURCE, Graph

min_version("9.20")


# As a module, it has its study from the workflow that uses it, and that workflow's files are no
# studies; see docs/module.md.
is_module = not workflow.modifier.is_main_snakefile()
files = [] if is_module else workflow.config_settings.configfiles
where = f"module {workflow.modifier.namespace}: " if is_module else ""

if is_module and not config:
    raise WorkflowError(f'{where}has no study; say where it stands: config: config["deepself"]')

# Without a study of the user's own, the demo. (A study given by --configfile is taken as it is:
# Snakemake would merge it into one named here.)
elif not is_module and not files and not {"name", "dataset"} <= config.keys():

    configfile: f"{workflow.basedir}/config/demo.yaml"


try:
    graph = Graph(config, files)
except UserError as error:
    raise WorkflowError(f"{where}{error}") from None

# Verbs write where the study says, whatever Snakemake makes of a path.
in_module = workflow.modifier.path_modifier.replace_prefix
if any(in_module(path) != path for path in ("results/features/", str(graph.layout.scores))):
    raise WorkflowError(
        f"{where}what a study writes lies below results/ and its name; take out prefix or "
        "replace_prefix, and give each study a name of its own"
    )


wildcard_constraints:
    file="[^/]+",
    feature="[^/]+",
    shard="[^/]+",
    model="[^/]+",
    fusion="[^/]+",
    fold="[^/]+",
    seed="[0-9]+",


# It describes the study; a workflow around this one says itself what it is about.
if not is_module:

    report: "workflow/report/workflow.rst"


# Also in other folders, and as a module, jobs run in the environments of the deepself that is
# installed here. For `--sdm apptainer`, envs/deepself.def builds the image; for `--sdm conda`,
# envs/conda.post-deploy.sh asks where deepself lies.
container: os.path.relpath(SOURCE / "envs/deepself.sif")


os.environ.update(DEEPSELF_SOURCE=str(SOURCE))


# The first rule is what Snakemake makes if it is not told what; a workflow around this one that
# has a rule above keeps its own.
rule all:
    input:
        graph.layout.scores,
        graph.layout.report,
        graph.layout.tracking,


include: "workflow/rules/inputs.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/marks.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/search.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/fuse.smk"
include: "workflow/rules/report.smk"


onstart:
    try:
        graph.require_writable()
        require_room_for_arrays()
        graph.demand.estimate_anew()
    except UserError as error:
        raise WorkflowError(str(error)) from None


onsuccess:
    print(graph.answer())


onerror:
    print(graph.what_is_left())
