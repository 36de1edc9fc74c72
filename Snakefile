import os

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from deepself.errors import UserError
from deepself.graph import SOURCE, Graph

min_version("9.20")


# As a module, it has its study from the workflow that uses it; see docs/module.md.
if workflow.modifier.path_modifier.prefix:
    raise WorkflowError(
        "prefix: what a study writes lies below results/ and its name; take the prefix out, "
        "and give each study a name of its own"
    )

# Without a study of the user's own, the demo; not in a module, where Snakemake skips this. (A study
# given by --configfile is taken as it is: Snakemake would merge it into one named here.)
elif not workflow.config_settings.configfiles and not {"name", "dataset"} <= config.keys():

    configfile: f"{workflow.basedir}/config/demo.yaml"


try:
    graph = Graph(config, workflow.config_settings.configfiles)
except UserError as error:
    raise WorkflowError(str(error)) from None


wildcard_constraints:
    file="[^/]+",
    feature="[^/]+",
    shard="[^/]+",
    model="[^/]+",
    fusion="[^/]+",
    fold="[^/]+",
    seed="[0-9]+",


# It describes the study; a workflow around this one says itself what it is about.
if workflow.modifier.parent_modifier is None:

    report: "workflow/report/workflow.rst"


# Also in other folders, and as a module, jobs run in the environments of the deepself that is
# installed here. For `--sdm apptainer`, envs/deepself.def builds the image; for `--sdm conda`,
# envs/conda.post-deploy.sh asks where deepself lies.
container: os.path.relpath(SOURCE / "envs/deepself.sif")


os.environ.update(DEEPSELF_SOURCE=str(SOURCE))


include: "workflow/rules/inputs.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/marks.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/search.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/fuse.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        graph.layout.scores,
        graph.layout.report,
        graph.layout.tracking,


onstart:
    try:
        graph.require_writable()
        require_room_for_arrays()
        graph.plan_anew()
    except UserError as error:
        raise WorkflowError(str(error)) from None


onsuccess:
    print(graph.answer())


onerror:
    print(graph.what_is_left())
