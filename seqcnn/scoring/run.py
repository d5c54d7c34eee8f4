"""One whole run: the records of a VCF in, the same records with their scores out."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from seqcnn.effects import VariantEffects, score_pairs
from seqcnn.engine import Engine
from seqcnn.engine.sharing import map_in_order
from seqcnn.genome import Genome
from seqcnn.scoring.columns import ScoreFields, spell_scores, table_rows
from seqcnn.scoring.journal import Checkpoint, Journal
from seqcnn.scoring.outputs import Outputs
from seqcnn.scoring.tally import EarlyStop, Tally
from seqcnn.significance import Null, allele_types
from seqcnn.variants import (
    AllelePlacer,
    AlleleTable,
    VcfBlock,
    VcfReader,
    allele_pairs,
    annotate_header,
)

__all__ = ["Scorer", "run_scoring"]


@dataclass(frozen=True)
class Scorer:
    """What gives the alleles of a block their scores.

    Attributes
    ----------
    engine
        The model.
    genome
        The open genome.
    placer
        Made for this genome and the model's length.
    offsets
        Of the neighbouring windows over which logits are averaged, as the placer has them.
    null
        What p-values come from; None for none.
    """

    engine: Engine
    genome: Genome
    placer: AllelePlacer
    offsets: range = range(1)
    null: Null | None = None

    def score(self, alleles: AlleleTable) -> VariantEffects:
        """Score the alleles of a block that can be scored."""
        pairs = [allele_pairs(alleles, self.genome, offset=offset) for offset in self.offsets]
        types = allele_types(alleles.refs, alleles.alternatives)[alleles.scored]
        return score_pairs(self.engine, pairs, types=types, null=self.null)


def run_scoring(  # noqa: PLR0913
    reader: VcfReader,
    scorer: Scorer,
    outputs: Outputs,
    *,
    provenance: Sequence[str],
    records: tuple[int, int | None] = (0, None),
    journal: Journal,
    keep_going: bool = False,
    progress: Callable[[int], object] = lambda _: None,
) -> Tally:
    """Score a file block by block.

    Parameters
    ----------
    reader
        The open file.
    scorer
        What scores it.
    outputs
        Where the scores go.
    provenance
        Header lines that say how the file was made.
    records
        First record of the run and the one after its last, of those that the reader yields.
    journal
        The open journal.
    keep_going
        Do not end early where nothing can be scored.
    progress
        Called with the number of records done since the last call.
    """
    model = scorer.engine.model
    fields = ScoreFields.choose(model, with_p=scorer.null is not None, with_q=outputs.with_q)
    header = annotate_header(reader.header.lines, fields.declared, provenance=provenance)
    first, stop = records
    last = journal.last
    tally = Tally.from_json(last.tally) if last else Tally()
    begin = first + (last.records if last else 0)
    progress(tally.records)
    blocks = reader.blocks(first=begin, stop=stop)
    early = None if keep_going or last else EarlyStop(reader.name)
    placed = _place(blocks, scorer.placer, early)

    def score(alleles: AlleleTable) -> tuple[AlleleTable, VariantEffects]:
        return alleles, scorer.score(alleles)

    with outputs.open(header, marks=last.marks if last else None) as files:
        # A block is scored while the one before is written and the one behind is read.
        for alleles, effects in map_in_order(score, placed, threads=1, ahead=1):
            columns = spell_scores(alleles, effects)
            files.write(
                fields.annotate(alleles, columns),
                lambda: table_rows(alleles, columns, model.spec.tasks),  # noqa: B023 - at once
            )
            tally.add(alleles)
            journal.save(Checkpoint(tally.records, files.mark(), tally.to_json()))
            progress(len(alleles.block))
    return tally


def _place(
    blocks: Iterable[VcfBlock], placer: AllelePlacer, early: EarlyStop | None
) -> Iterator[AlleleTable]:
    for block in blocks:
        alleles = placer.place(block)
        if early:
            early.check(alleles)
        yield alleles
