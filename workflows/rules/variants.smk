# Each VCF scored by each model.


rule score_variants:
    input:
        unpack(variants_inputs),
        model=rules.train.output.model,
    output:
        vcf=f"{RESULTS}/variants/{{sample}}/{{variants}}.vcf.gz",
        tsv=f"{RESULTS}/variants/{{sample}}/{{variants}}.tsv.gz",
    log:
        f"{RESULTS}/logs/score_variants/{{sample}}/{{variants}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score_variants/{{sample}}/{{variants}}.tsv"
    conda:
        "../envs/seqcnn.yaml"
    threads: config["resources"]["score_variants"]["threads"]
    resources:
        mem_mb=config["resources"]["score_variants"]["mem_mb"],
        runtime=config["resources"]["score_variants"]["runtime"],
    params:
        common=COMMON,
        ref_mismatch=config["score_variants"]["ref_mismatch"],
        further=quoted(config["score_variants"]["options"]),
    shell:
        "seqcnn score-variants -m {input.model:q} --fasta {input.fasta:q} {params.common}"
        " --threads {threads} --ref-mismatch {params.ref_mismatch} {params.further}"
        " {input.vcf:q} -o {output.vcf:q} --tsv {output.tsv:q} > {log:q} 2>&1"
