# One model a sample: trained, evaluated on other data, and its motifs drawn.


rule train:
    input:
        unpack(train_inputs),
    output:
        model=f"{RESULTS}/models/{{sample}}/model.safetensors",
        metrics=f"{RESULTS}/models/{{sample}}/metrics.json",
        history=f"{RESULTS}/models/{{sample}}/history.tsv",
        predictions=f"{RESULTS}/models/{{sample}}/predictions.test.tsv.gz",
        report=f"{RESULTS}/models/{{sample}}/report.html",
        config=f"{RESULTS}/models/{{sample}}/config.yaml",
    log:
        f"{RESULTS}/logs/train/{{sample}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{sample}}.tsv"
    conda:
        "../envs/seqcnn.yaml"
    threads: config["resources"]["train"]["threads"]
    resources:
        mem_mb=config["resources"]["train"]["mem_mb"],
        runtime=config["resources"]["train"]["runtime"],
    params:
        common=COMMON,
        sample=train_options,
        folder=lambda wildcards, output: folder_of(output.model),
    shell:
        "seqcnn train {params.common} --threads {threads} {params.sample}"
        " -o {params.folder:q} > {log:q} 2>&1"


rule evaluate:
    input:
        unpack(evaluate_inputs),
        model=rules.train.output.model,
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
        mem_mb=config["resources"]["evaluate"]["mem_mb"],
        runtime=config["resources"]["evaluate"]["runtime"],
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
        model=rules.train.output.model,
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
        mem_mb=config["resources"]["export_logos"]["mem_mb"],
        runtime=config["resources"]["export_logos"]["runtime"],
    params:
        common=COMMON,
        further=quoted(config["export_logos"]["options"]),
        folder=lambda wildcards, output: folder_of(output.index),
    shell:
        "seqcnn export-logos -m {input.model:q} {params.common} --threads {threads}"
        " {params.further} -o {params.folder:q} > {log:q} 2>&1"
