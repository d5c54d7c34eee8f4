# Each VCF scored by each model: in shards, which are gathered; false discovery rates; maps.


rule score_variants:
    input:
        unpack(variants_inputs),
        model=model_of,
        prepared=ancient(PREPARED),
    output:
        vcf=temp(f"{SHARD}.vcf.gz"),
        tsv=temp(f"{SHARD}.tsv.gz"),
        summary=f"{SHARD}.json",
    log:
        f"{RESULTS}/logs/score_variants/{{sample}}/{{variants}}/{{shard}}of{{shards}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score_variants/{{sample}}/{{variants}}/{{shard}}of{{shards}}.tsv"
    conda:
        "../envs/seqcnn.yaml"
    threads: config["resources"]["score_variants"]["threads"]
    resources:
        mem_mb=grown("score_variants", "mem_mb"),
        runtime=grown("score_variants", "runtime"),
        gpu=config["resources"]["score_variants"]["gpu"],
    params:
        common=COMMON,
        variants=variants_options,
    shell:
        "seqcnn score-variants -m {input.model:q} --fasta {input.fasta:q} {params.common}"
        " --threads {threads} --shard {wildcards.shard}/{wildcards.shards} --resume"
        " {params.variants} {input.vcf:q} -o {output.vcf:q} --tsv {output.tsv:q}"
        " --summary {output.summary:q} > {log:q} 2>&1"


rule gather_variants:
    input:
        vcf=lambda wildcards: shards_of(wildcards, "vcf.gz"),
        tsv=lambda wildcards: shards_of(wildcards, "tsv.gz"),
    output:
        vcf=f"{RESULTS}/variants/{{sample}}/{{variants}}.vcf.gz",
        tsv=f"{RESULTS}/variants/{{sample}}/{{variants}}.tsv.gz",
    log:
        f"{RESULTS}/logs/gather_variants/{{sample}}/{{variants}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/gather_variants/{{sample}}/{{variants}}.tsv"
    group:
        "after_scoring"
    conda:
        "../envs/seqcnn.yaml"
    threads: 1
    resources:
        mem_mb=grown("gather_variants", "mem_mb"),
        runtime=grown("gather_variants", "runtime"),
        gpu=0,
    params:
        common=COMMON,
    shell:
        "(seqcnn gather {params.common} --threads {threads} {input.vcf:q} -o {output.vcf:q}"
        " && seqcnn gather {params.common} --threads {threads} {input.tsv:q} -o {output.tsv:q})"
        " > {log:q} 2>&1"


rule discover_variants:
    input:
        vcf=rules.gather_variants.output.vcf,
        tsv=rules.gather_variants.output.tsv,
    output:
        vcf=f"{RESULTS}/discoveries/{{sample}}/{{variants}}.vcf.gz",
        tsv=f"{RESULTS}/discoveries/{{sample}}/{{variants}}.tsv.gz",
    log:
        f"{RESULTS}/logs/discover_variants/{{sample}}/{{variants}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/discover_variants/{{sample}}/{{variants}}.tsv"
    group:
        "after_scoring"
    conda:
        "../envs/seqcnn.yaml"
    threads: 1
    resources:
        mem_mb=grown("gather_variants", "mem_mb"),
        runtime=grown("gather_variants", "runtime"),
        gpu=0,
    params:
        common=COMMON,
    shell:
        "(seqcnn fdr {params.common} --threads {threads} {input.vcf:q} -o {output.vcf:q}"
        " && seqcnn fdr {params.common} --threads {threads} {input.tsv:q} -o {output.tsv:q})"
        " > {log:q} 2>&1"


rule mutation_maps:
    input:
        unpack(genome_of_variants),
        scored=rules.gather_variants.output.vcf,
        model=model_of,
    output:
        top=f"{RESULTS}/maps/{{sample}}/{{variants}}.vcf",
        table=f"{RESULTS}/maps/{{sample}}/{{variants}}/map.tsv",
    log:
        f"{RESULTS}/logs/mutation_maps/{{sample}}/{{variants}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/mutation_maps/{{sample}}/{{variants}}.tsv"
    group:
        "after_scoring"
    conda:
        "../envs/seqcnn.yaml"
    threads: config["resources"]["mutation_maps"]["threads"]
    resources:
        mem_mb=grown("mutation_maps", "mem_mb"),
        runtime=grown("mutation_maps", "runtime"),
        gpu=config["resources"]["mutation_maps"]["gpu"],
    params:
        common=COMMON,
        number=config["mutation_maps"]["top"],
        further=quoted(config["mutation_maps"]["options"]),
        folder=lambda wildcards, output: folder_of(output.table),
    shell:
        "(seqcnn top {params.common} --threads {threads} -n {params.number} {input.scored:q}"
        " -o {output.top:q} && seqcnn mutation-map -m {input.model:q} --fasta {input.fasta:q}"
        " --vcf {output.top:q} {params.common} --threads {threads} {params.further}"
        " -o {params.folder:q}) > {log:q} 2>&1"
