# One page for the run.


rule overview:
    input:
        finished,
    output:
        report(
            f"{RESULTS}/overview.html",
            caption="../report/overview.rst",
            category="The run",
            labels={"sample": "all", "page": "overview"},
        ),
    log:
        f"{RESULTS}/logs/overview.log",
    benchmark:
        f"{RESULTS}/benchmarks/overview.tsv"
    localrule: True
    conda:
        "../envs/seqcnn.yaml"
    threads: 1
    resources:
        mem_mb=grown("prepare", "mem_mb"),
        runtime=grown("prepare", "runtime"),
        gpu=0,
    params:
        common=COMMON,
        folder=lambda wildcards, output: folder_of(output[0]),
    shell:
        "seqcnn overview {params.common} --threads {threads} {params.folder:q} -o {output:q}"
        " > {log:q} 2>&1"
