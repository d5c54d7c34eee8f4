# One model a sample, trained with the settings given.


rule train:
    input:
        unpack(train_inputs),
        prepared=ancient(PREPARED),
    output:
        model=MODEL,
        metrics=f"{RESULTS}/models/{{sample}}/metrics.json",
        history=f"{RESULTS}/models/{{sample}}/history.tsv",
        predictions=f"{RESULTS}/models/{{sample}}/predictions.test.tsv.gz",
        report=report(
            f"{RESULTS}/models/{{sample}}/report.html",
            caption="../report/model.rst",
            category="Models",
            labels={"sample": "{sample}", "page": "training"},
        ),
        config=f"{RESULTS}/models/{{sample}}/config.yaml",
    log:
        f"{RESULTS}/logs/train/{{sample}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{sample}}.tsv"
    conda:
        "../envs/seqcnn.yaml"
    threads: config["resources"]["train"]["threads"]
    resources:
        mem_mb=grown("train", "mem_mb"),
        runtime=grown("train", "runtime"),
        gpu=config["resources"]["train"]["gpu"],
    params:
        common=COMMON,
        sample=train_options,
        folder=lambda wildcards, output: folder_of(output.model),
    shell:
        "seqcnn train {params.common} --threads {threads} {params.sample} --resume"
        " -o {params.folder:q} > {log:q} 2>&1"
