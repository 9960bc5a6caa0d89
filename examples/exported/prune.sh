# Three lines: what the network is, its pruned copy, and the same as a state_dict.
lnpt inspect net.pt2
lnpt prune --model net.pt2 --data batch.safetensors --criterion snip --sparsity .9 --out pruned.pt2
lnpt prune --model net.pt2 --criterion synflow --sparsity .9 --out pruned.safetensors
