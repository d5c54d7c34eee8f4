# What is made of each model: figures on other data, and motifs.


rule evaluate:
    input:
        unpack(evaluate_inputs),
        model=model_of,
        prepared=ancient(PREPARED),
    output:
        metrics=f"{RESULTS}/evaluations/{{sample}}/{{evaluation}}/metrics.json",
        predictions=f"{RESULTS}/evaluations/{{sample}}/{{evaluation}}/predictions.test.tsv.gz",
    log:
        f"{RESULTS}/logs/evaluate/{{sample}}/{{evaluation}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{sample}}/{{evaluation}}.tsv"
    conda:
        "../envs/seqcnn.yaml"
    threads: config["resources"]["evaluate"]["threads"]
    resources:
        mem_mb=grown("evaluate", "mem_mb"),
        runtime=grown("evaluate", "runtime"),
        gpu=config["resources"]["evaluate"]["gpu"],
    params:
        common=COMMON,
        further=quoted(config["evaluate"]["options"]),
        evaluation=evaluate_options,
        folder=lambda wildcards, output: folder_of(output.metrics),
    shell:
        "seqcnn evaluate -m {input.model:q} {params.common} --threads {threads}"
        " {params.further} {params.evaluation} -o {params.folder:q} > {log:q} 2>&1"


rule export_logos:
    input:
        unpack(logos_inputs),
        model=model_of,
        prepared=ancient(PREPARED),
    output:
        index=f"{RESULTS}/logos/{{sample}}/index.html",
        motifs=f"{RESULTS}/logos/{{sample}}/motifs.meme",
        filters=f"{RESULTS}/logos/{{sample}}/filters.tsv",
    log:
        f"{RESULTS}/logs/export_logos/{{sample}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/export_logos/{{sample}}.tsv"
    conda:
        "../envs/seqcnn.yaml"
    threads: config["resources"]["export_logos"]["threads"]
    resources:
        mem_mb=grown("export_logos", "mem_mb"),
        runtime=grown("export_logos", "runtime"),
        gpu=config["resources"]["export_logos"]["gpu"],
    params:
        common=COMMON,
        motifs=logos_options,
        folder=lambda wildcards, output: folder_of(output.index),
    shell:
        "seqcnn export-logos -m {input.model:q} {params.common} --threads {threads}"
        " {params.motifs} -o {params.folder:q} > {log:q} 2>&1"
