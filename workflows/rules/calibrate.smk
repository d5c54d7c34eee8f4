# One model a sample: settings are searched in shards, then the best are trained.


rule calibrate:
    input:
        unpack(train_inputs),
        prepared=ancient(PREPARED),
    output:
        trials=f"{TRIALS}/trials.tsv",
        shard=f"{TRIALS}/shard.json",
    log:
        f"{RESULTS}/logs/calibrate/{{sample}}/{{shard}}of{{shards}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/calibrate/{{sample}}/{{shard}}of{{shards}}.tsv"
    conda:
        "../envs/seqcnn.yaml"
    threads: config["resources"]["calibrate"]["threads"]
    resources:
        mem_mb=grown("calibrate", "mem_mb"),
        runtime=grown("calibrate", "runtime"),
        gpu=config["resources"]["calibrate"]["gpu"],
    params:
        common=COMMON,
        calibration=calibrate_options,
        folder=lambda wildcards, output: folder_of(folder_of(output.trials)),
    shell:
        "seqcnn calibrate {params.common} --threads {threads} {params.calibration}"
        " --trial-shard {wildcards.shard}/{wildcards.shards} --resume"
        " -o {params.folder:q} > {log:q} 2>&1"


rule train_calibrated:
    input:
        unpack(train_inputs),
        trials=trials_of,
    output:
        model=MODEL,
        metrics=f"{RESULTS}/models/{{sample}}/metrics.json",
        history=f"{RESULTS}/models/{{sample}}/history.tsv",
        predictions=f"{RESULTS}/models/{{sample}}/predictions.test.tsv.gz",
        trials=f"{RESULTS}/models/{{sample}}/trials.tsv",
        report=report(
            f"{RESULTS}/models/{{sample}}/report.html",
            caption="../report/model.rst",
            category="Models",
            labels={"sample": "{sample}", "page": "training"},
        ),
        config=f"{RESULTS}/models/{{sample}}/config.yaml",
    log:
        f"{RESULTS}/logs/train_calibrated/{{sample}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_calibrated/{{sample}}.tsv"
    conda:
        "../envs/seqcnn.yaml"
    threads: config["resources"]["train"]["threads"]
    resources:
        mem_mb=grown("train", "mem_mb"),
        runtime=grown("train", "runtime"),
        gpu=config["resources"]["train"]["gpu"],
    params:
        common=COMMON,
        calibration=calibrate_options,
        folder=lambda wildcards, output: folder_of(output.model),
        searched=lambda wildcards, input: folder_of(folder_of(input.trials[0])),
    shell:
        "seqcnn calibrate {params.common} --threads {threads} {params.calibration}"
        " --finish {params.searched:q} --resume -o {params.folder:q} > {log:q} 2>&1"
