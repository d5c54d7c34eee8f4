# What the sheets name is looked over, here and now, before any job is queued.


rule prepare:
    input:
        present_files,
        sheets=SHEETS,
    output:
        PREPARED,
    log:
        f"{RESULTS}/logs/prepare.log",
    benchmark:
        f"{RESULTS}/benchmarks/prepare.tsv"
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
    shell:
        "seqcnn prepare {params.common} --threads {threads} {input.sheets:q} -o {output:q}"
        " > {log:q} 2>&1"
