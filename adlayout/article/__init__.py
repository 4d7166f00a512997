"""HTML in, bytes out: blocks with offsets, measures, splicing and its proof. The only importer of turbohtml."""
