"""Saves small networks that make structured pruning hard, each as a script: tests/torch/scripted.cpp shrinks them.

usage: save_cases.py FOLDER

Writes NAME.pt (torch.jit.script, double, in eval mode) and NAME.input.pt (a script that returns one input). Any torch from 1.13 on.
"""
import pathlib
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

CASES = {}
def case(*shape, make=None):
    def add(cls):
        CASES[cls.__name__] = (cls, (lambda: torch.randn(*shape)) if make is None else make)
        return cls
    return add

def cbr(i, o, k=3, s=1, g=1, bias=False):
    return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, groups=g, bias=bias), nn.BatchNorm2d(o), nn.ReLU())

class Base(nn.Module):
    heads = ('fc',)

def pool(x): return x.mean((2, 3))

@case(2, 3, 8, 8)
class plain_chain(Base):
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 12); s.fc = nn.Linear(12, 5)
    def forward(s, x): return s.fc(pool(s.b(s.a(x))))

@case(2, 3, 8, 8)
class residual_strided(Base):       # conv shortcut, different strides
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b1 = cbr(8, 16, 3, 2); s.b2 = nn.Conv2d(16, 16, 3, 1, 1); s.n = nn.BatchNorm2d(16)
        s.sc = nn.Conv2d(8, 16, 1, 2); s.c = cbr(16, 10); s.fc = nn.Linear(10, 5)
    def forward(s, x):
        x = s.a(x); return s.fc(pool(s.c(F.relu(s.n(s.b2(s.b1(x))) + s.sc(x)))))

@case(2, 3, 8, 8)
class option_a(Base):               # strided slice and zero-padded channels
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b1 = cbr(8, 16, 3, 2); s.b2 = nn.Conv2d(16, 16, 3, 1, 1); s.n = nn.BatchNorm2d(16)
        s.c = cbr(16, 10); s.fc = nn.Linear(10, 5)
    def forward(s, x):
        x = s.a(x); y = s.n(s.b2(s.b1(x)))
        return s.fc(pool(s.c(F.relu(y + F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 4, 4))))))

@case(2, 3, 8, 8)
class concat_then_residual(Base):   # two convs side by side, added to a third
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 6); s.c = cbr(8, 10); s.d = cbr(8, 16); s.e = cbr(16, 7); s.fc = nn.Linear(7, 5)
    def forward(s, x):
        x = s.a(x); return s.fc(pool(s.e(torch.cat([s.b(x), s.c(x)], 1) + s.d(x))))

@case(2, 3, 8, 8)
class concat_twice_same(Base):      # cat([x, x])
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(16, 9); s.fc = nn.Linear(9, 5)
    def forward(s, x):
        x = s.a(x); return s.fc(pool(s.b(torch.cat([x, x], 1))))

@case(2, 3, 8, 8)
class batchnorm_after_concat(Base): # DenseNet order
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = nn.Conv2d(8, 6, 3, 1, 1); s.n = nn.BatchNorm2d(14); s.c = nn.Conv2d(14, 9, 1); s.fc = nn.Linear(9, 5)
    def forward(s, x):
        x = s.a(x); return s.fc(pool(s.c(F.relu(s.n(torch.cat([x, s.b(x)], 1))))))

@case(2, 3, 8, 8)
class split_sizes(Base):            # hard-coded sizes: C3 of detectors
    def __init__(s):
        super().__init__(); s.a = cbr(3, 12); s.b = cbr(4, 6); s.c = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x):
        p, q = torch.split(s.a(x), [4, 8], 1); return s.fc(pool(s.b(p) + s.c(q)))

@case(2, 3, 8, 8)
class chunk_half(Base):             # C2f: chunk(2), one half passed on, both concatenated
    def __init__(s):
        super().__init__(); s.a = cbr(3, 12); s.b = cbr(6, 6); s.c = cbr(18, 8); s.fc = nn.Linear(8, 5)
    def forward(s, x):
        p, q = s.a(x).chunk(2, 1); return s.fc(pool(s.c(torch.cat([p, q, s.b(q)], 1))))

@case(2, 3, 8, 8)
class channel_shuffle(Base):        # ShuffleNet: grouped conv, view/transpose/view, grouped conv
    def __init__(s):
        super().__init__(); s.a = cbr(3, 16); s.g1 = cbr(16, 16, 1, 1, 4); s.g2 = cbr(16, 16, 1, 1, 4); s.b = cbr(16, 8); s.fc = nn.Linear(8, 5)
    def forward(s, x):
        x = s.g1(s.a(x)); n, c, h, w = x.shape
        x = x.view(n, 4, c // 4, h, w).transpose(1, 2).reshape(n, c, h, w)
        return s.fc(pool(s.b(s.g2(x))))

@case(2, 3, 8, 8)
class depthwise_se(Base):           # MobileNet-v3 / EfficientNet block
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.e = cbr(8, 24, 1); s.d = cbr(24, 24, 3, 1, 24); s.s1 = nn.Conv2d(24, 6, 1); s.s2 = nn.Conv2d(6, 24, 1)
        s.p = nn.Conv2d(24, 8, 1, bias=False); s.n = nn.BatchNorm2d(8); s.fc = nn.Linear(8, 5)
    def forward(s, x):
        x = s.a(x); y = s.d(s.e(x)); g = torch.sigmoid(s.s2(F.relu(s.s1(F.adaptive_avg_pool2d(y, 1)))))
        return s.fc(pool(x + s.n(s.p(y * g))))

@case(2, 3, 8, 8)
class grouped_conv(Base):           # ResNeXt: groups 4 of 16, 3 channels of one removed does not divide
    def __init__(s):
        super().__init__(); s.a = cbr(3, 16); s.g = cbr(16, 24, 3, 1, 4); s.b = cbr(24, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x): return s.fc(pool(s.b(s.g(s.a(x)))))

@case(2, 3, 8, 8)
class flatten_spatial(Base):        # VGG/LeNet: 16 columns per channel
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 6); s.h = nn.Linear(6 * 16, 20); s.fc = nn.Linear(20, 5)
    def forward(s, x): return s.fc(F.relu(s.h(torch.flatten(F.max_pool2d(s.b(s.a(x)), 2), 1))))

@case(2, 3, 8, 8)
class flatten_channels_last(Base):  # permute before flatten: columns of a channel are 6 apart
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 6); s.h = nn.Linear(6 * 16, 20); s.fc = nn.Linear(20, 5)
    def forward(s, x): return s.fc(F.relu(s.h(F.max_pool2d(s.b(s.a(x)), 2).permute(0, 2, 3, 1).flatten(1))))

@case(2, 3, 8, 8)
class flatten_hard_view(Base):      # view(-1, 96): after removal the batch dimension soaks up the difference
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 6); s.h = nn.Linear(96, 20); s.fc = nn.Linear(20, 5)
    def forward(s, x): return s.fc(F.relu(s.h(F.max_pool2d(s.b(s.a(x)), 2).view(-1, 96))))

@case(2, 6, 16)
class attention_heads(Base):        # qkv in one linear, 4 heads of 4, softmax, residual, LayerNorm
    def __init__(s):
        super().__init__(); s.n1 = nn.LayerNorm(16); s.qkv = nn.Linear(16, 48); s.proj = nn.Linear(16, 16); s.n2 = nn.LayerNorm(16)
        s.m1 = nn.Linear(16, 32); s.m2 = nn.Linear(32, 16); s.fc = nn.Linear(16, 5)
    def forward(s, x):
        b, n, c = x.shape
        q, k, v = s.qkv(s.n1(x)).reshape(b, n, 3, 4, -1).permute(2, 0, 3, 1, 4).unbind(0)
        a = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1)
        x = x + s.proj((a @ v).transpose(1, 2).reshape(b, n, -1)); x = x + s.m2(F.gelu(s.m1(s.n2(x))))
        return s.fc(x.mean(1))

@case(2, 7, 6)
class lstm_between(Base):
    def __init__(s):
        super().__init__(); s.i = nn.Linear(6, 10); s.r = nn.LSTM(10, 12, batch_first=True); s.h = nn.Linear(12, 8); s.fc = nn.Linear(8, 5)
    def forward(s, x):
        y, _ = s.r(F.relu(s.i(x))); return s.fc(F.relu(s.h(y[:, -1])))

@case(2, 7, 6)
class gru_bidirectional(Base):
    def __init__(s):
        super().__init__(); s.i = nn.Linear(6, 10); s.r = nn.GRU(10, 6, batch_first=True, bidirectional=True); s.h = nn.Linear(12, 8); s.fc = nn.Linear(8, 5)
    def forward(s, x):
        y, _ = s.r(F.relu(s.i(x))); return s.fc(F.relu(s.h(y.mean(1))))

@case(2, 3, 8, 8)
class shared_twice(Base):           # one module called twice: its input and output channels are tied
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.w = nn.Conv2d(8, 8, 3, 1, 1); s.b = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x): return s.fc(pool(s.b(F.relu(s.w(F.relu(s.w(s.a(x))))))))

@case(2, 3, 8, 8)
class shared_two_inputs(Base):      # a shared head over two branches (RetinaNet, siamese)
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 8, 3, 2); s.w = nn.Conv2d(8, 10, 3, 1, 1); s.fc = nn.Linear(10, 5)
    def forward(s, x):
        x = s.a(x); y = s.b(x); return s.fc(pool(F.relu(s.w(x)))) + s.fc(pool(F.relu(s.w(y))))

@case(2, 3, 8, 8)
class conv_transpose(Base):         # U-Net: output channels are axis 1; grouped too
    heads = ('out',)
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.d = cbr(8, 12, 3, 2); s.u = nn.ConvTranspose2d(12, 8, 2, 2); s.c = cbr(16, 6); s.out = nn.Conv2d(6, 3, 1)
    def forward(s, x):
        x = s.a(x); return s.out(s.c(torch.cat([s.u(s.d(x)), x], 1)))

@case(2, 3, 8, 8)
class two_heads(Base):              # one feature map is read by two heads and returned itself
    heads = ('fc', 'fd')
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 6); s.fc = nn.Linear(6, 5); s.fd = nn.Conv2d(6, 4, 1)
    def forward(s, x):
        y = s.b(s.a(x)); return s.fc(pool(y)), s.fd(y)

@case(2, 3, 8, 8)
class returned_feature(Base):       # the caller reads an inner map: its channels must stay
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x):
        y = s.b(s.a(x)); return s.fc(pool(y)), y

@case(2, 3, 8, 8)
class parameter_scale(Base):        # ConvNeXt layer scale and a learnt position: bare nn.Parameter
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = nn.Conv2d(8, 8, 3, 1, 1); s.gamma = nn.Parameter(torch.rand(8, 1, 1) + .5); s.pos = nn.Parameter(torch.randn(1, 8, 8, 8))
        s.c = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x):
        x = s.a(x) + s.pos; return s.fc(pool(s.c(x + s.gamma * s.b(x))))

@case(2, 3, 8, 8)
class buffer_scale(Base):           # the same with a buffer: normalisation constants
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.register_buffer('mu', torch.randn(1, 8, 1, 1)); s.c = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x): return s.fc(pool(s.c(s.a(x) - s.mu)))

@case(2, 3, 8, 8)
class weight_norm(Base):
    def __init__(s):
        super().__init__(); s.a = torch.nn.utils.weight_norm(nn.Conv2d(3, 8, 3, 1, 1)); s.b = torch.nn.utils.weight_norm(nn.Conv2d(8, 6, 3, 1, 1)); s.fc = nn.Linear(6, 5)
    def forward(s, x): return s.fc(pool(F.relu(s.b(F.relu(s.a(x))))))

@case(2, 3, 8, 8)
class functional_conv(Base):        # F.conv2d with one's own parameter
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.w = nn.Parameter(torch.randn(6, 8, 3, 3) * .2); s.fc = nn.Linear(6, 5)
    def forward(s, x): return s.fc(pool(F.relu(F.conv2d(s.a(x), s.w, padding=1))))

@case(2, 3, 8, 8)
class layer_norm_channels(Base):    # statistics over the channels: removal is never equal to the mask
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.n = nn.LayerNorm(8); s.h = nn.Linear(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x): return s.fc(F.relu(s.h(s.n(pool(s.a(x))))))

@case(0, make=lambda: torch.randint(0, 11, (2, 7)))
class embedding_table(Base):        # output channels are axis 1 of the table
    def __init__(s):
        super().__init__(); s.e = nn.Embedding(11, 8); s.h = nn.Linear(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x): return s.fc(F.relu(s.h(s.e(x))).mean(1))

@case(2, 3, 8, 8)
class constant_slices(Base):        # x[:, :4] and x[:, 4:] written into the code
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(4, 4); s.c = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x):
        x = s.a(x); return s.fc(pool(s.c(torch.cat([x[:, :4], s.b(x[:, 4:])], 1))))

@case(2, 3, 8, 8)
class inplace_ops(Base):            # relu_, add_, += and writing into a slice
    def __init__(s):
        super().__init__(); s.a = nn.Conv2d(3, 8, 3, 1, 1); s.b = nn.Conv2d(8, 8, 3, 1, 1); s.c = nn.Conv2d(8, 6, 3, 1, 1); s.fc = nn.Linear(6, 5)
    def forward(s, x):
        x = s.a(x).relu_(); y = s.b(x); y += x; y.relu_(); return s.fc(pool(s.c(y).relu_()))

@case(2, 3, 8, 8)
class unused_layer(Base):
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.z = nn.Conv2d(8, 8, 3); s.b = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x): return s.fc(pool(s.b(s.a(x))))

@case(2, 3, 8, 8)
class mean_over_channels(Base):     # CBAM spatial gate: mean and max over channels
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.g = nn.Conv2d(2, 1, 3, 1, 1); s.b = cbr(8, 6); s.fc = nn.Linear(6, 5)
    heads = ('fc', 'g')
    def forward(s, x):
        x = s.a(x); m = torch.cat([x.mean(1, True), x.amax(1, True)], 1); return s.fc(pool(s.b(x * torch.sigmoid(s.g(m)))))

@case(2, 3, 8, 8)
class detached_branch(Base):        # autograd does not see the second reader
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 6); s.c = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x):
        x = s.a(x); return s.fc(pool(s.b(x) + s.c(x.detach())))

@case(2, 3, 8, 8)
class sigmoid_border(Base):         # sigmoid(0) = 1/2 and zero padding: a dead channel's constant is not zero, and not constant at the border
    def __init__(s):
        super().__init__(); s.a = nn.Conv2d(3, 8, 3, 1, 1); s.n = nn.BatchNorm2d(8); s.b = nn.Conv2d(8, 6, 3, 1, 1); s.fc = nn.Linear(6, 5)
    def forward(s, x): return s.fc(pool(F.relu(s.b(torch.sigmoid(s.n(s.a(x)))))))

@case(2, 3, 8, 8)
class one_output_channel(Base):     # out = groups = 1 is no depthwise convolution
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.g = nn.Conv2d(8, 1, 1); s.b = cbr(1, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x): return s.fc(pool(s.b(F.relu(s.g(s.a(x))))))

@case(2, 8, 8, 8)
class residual_with_input(Base):    # added to the network's own input: nobody may narrow that
    def __init__(s):
        super().__init__(); s.a = cbr(8, 12); s.b = nn.Conv2d(12, 8, 3, 1, 1); s.c = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x): return s.fc(pool(s.c(F.relu(x + s.b(s.a(x))))))

# Further networks, of which only equality is asked: shrunk rightly, or named. Their atoms are nobody's expectation.

@case(2, 3, 8, 8)
class more_se_inverted_residual(Base):  # hard swish, squeeze and excitation inside an inverted residual with a linear bottleneck
    def __init__(s):
        super().__init__(); s.stem = cbr(3, 8); s.up = nn.Conv2d(8, 24, 1); s.dw = nn.Conv2d(24, 24, 3, 1, 1, groups=24); s.n = nn.BatchNorm2d(24)
        s.s1 = nn.Conv2d(24, 6, 1); s.s2 = nn.Conv2d(6, 24, 1); s.down = nn.Conv2d(24, 8, 1); s.fc = nn.Linear(8, 5)
    def forward(s, x):
        y = s.stem(x); z = F.hardswish(s.n(s.dw(F.hardswish(s.up(y))))); z = z * F.hardsigmoid(s.s2(F.relu(s.s1(F.adaptive_avg_pool2d(z, 1)))))
        return s.fc(pool(y + s.down(z)))

@case(2, 3, 8, 8)
class more_shuffle_three(Base):         # three groups, and no power of two
    def __init__(s):
        super().__init__(); s.a = cbr(3, 12); s.g = cbr(12, 18, 1, g=3); s.h = cbr(18, 12, g=3); s.fc = nn.Linear(12, 5)
    def forward(s, x):
        y = s.g(s.a(x)); b, c, h, w = y.shape
        return s.fc(pool(s.h(y.view(b, 3, c // 3, h, w).transpose(1, 2).reshape(b, c, h, w))))

@case(2, 3, 8, 8)
class more_dense_block(Base):           # every layer reads all before it; norm before convolution
    def __init__(s):
        super().__init__(); s.a = nn.Conv2d(3, 6, 3, 1, 1); s.n1 = nn.BatchNorm2d(6); s.c1 = nn.Conv2d(6, 4, 3, 1, 1, bias=False)
        s.n2 = nn.BatchNorm2d(10); s.c2 = nn.Conv2d(10, 4, 3, 1, 1, bias=False); s.n3 = nn.BatchNorm2d(14); s.t = nn.Conv2d(14, 7, 1); s.fc = nn.Linear(7, 5)
    def forward(s, x):
        x = s.a(x); x = torch.cat([x, s.c1(F.relu(s.n1(x)))], 1); x = torch.cat([x, s.c2(F.relu(s.n2(x)))], 1)
        return s.fc(pool(F.avg_pool2d(s.t(F.relu(s.n3(x))), 2)))

@case(2, 3, 8, 8)
class more_unet(Base):                  # a skip joined with an upsampled and a transposed branch
    def __init__(s):
        super().__init__(); s.d1 = cbr(3, 6); s.d2 = cbr(6, 10, 3, 2); s.d3 = cbr(10, 12, 3, 2); s.u2 = nn.ConvTranspose2d(12, 8, 2, 2); s.c2 = cbr(18, 9); s.c1 = cbr(15, 7); s.fc = nn.Linear(7, 5)
    def forward(s, x):
        a = s.d1(x); b = s.d2(a); c = s.d3(b); y = s.c2(torch.cat([s.u2(c), b], 1))
        return s.fc(pool(s.c1(torch.cat([F.interpolate(y, scale_factor=2.0, mode='nearest'), a], 1))))

@case(2, 6, 8, 8)
class more_siamese(Base):               # one tower on two halves of the input, their distance read
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x):
        l, r = x[:, :3], x[:, 3:]
        return s.fc((pool(s.b(s.a(l))) - pool(s.b(s.a(r)))).abs())

@case(2, 3, 8, 8)
class more_permuted_flatten(Base):      # pixels first, then channels, over two pooled pixels
    def __init__(s):
        super().__init__(); s.a = cbr(3, 10); s.f = nn.Linear(10 * 4, 12); s.fc = nn.Linear(12, 5)
    def forward(s, x): return s.fc(F.relu(s.f(F.adaptive_avg_pool2d(s.a(x), 2).permute(0, 3, 2, 1).reshape(x.size(0), -1))))

@case(2, 3, 8, 8)
class more_grouped_residual(Base):      # ResNeXt: a grouped convolution between two dense ones, with a residual around
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.c1 = cbr(8, 12, 1); s.g = cbr(12, 12, g=4); s.c2 = nn.Conv2d(12, 8, 1); s.n = nn.BatchNorm2d(8); s.fc = nn.Linear(8, 5)
    def forward(s, x): y = s.a(x); return s.fc(pool(F.relu(y + s.n(s.c2(s.g(s.c1(y)))))))

@case(2, 3, 8, 8)
class more_group_norm_and_depthwise(Base):
    def __init__(s):
        super().__init__(); s.a = nn.Conv2d(3, 12, 3, 1, 1); s.n = nn.GroupNorm(3, 12); s.d = nn.Conv2d(12, 12, 3, 1, 1, groups=12); s.m = nn.GroupNorm(6, 12); s.b = nn.Conv2d(12, 8, 1); s.fc = nn.Linear(8, 5)
    def forward(s, x): return s.fc(pool(F.relu(s.b(F.relu(s.m(s.d(F.relu(s.n(s.a(x)))))))))) 

@case(2, 3, 8, 8)
class more_instance_norm(Base):         # affine, and without
    def __init__(s):
        super().__init__(); s.a = nn.Conv2d(3, 8, 3, 1, 1); s.n = nn.InstanceNorm2d(8, affine=True); s.b = nn.Conv2d(8, 6, 3, 1, 1); s.m = nn.InstanceNorm2d(6); s.c = cbr(6, 7); s.fc = nn.Linear(7, 5)
    def forward(s, x): return s.fc(pool(s.c(F.relu(s.m(s.b(F.relu(s.n(s.a(x)))))))))

@case(2, 3, 8, 8)
class more_convnext(Base):              # norm over channels in the last axis, a linear pair, a layer scale, a residual
    def __init__(s):
        super().__init__(); s.a = nn.Conv2d(3, 8, 2, 2); s.d = nn.Conv2d(8, 8, 3, 1, 1, groups=8); s.n = nn.LayerNorm(8); s.p = nn.Linear(8, 20); s.q = nn.Linear(20, 8); s.g = nn.Parameter(torch.rand(8)); s.fc = nn.Linear(8, 5)
    def forward(s, x):
        y = s.a(x); z = s.q(F.gelu(s.p(s.n(s.d(y).permute(0, 2, 3, 1))))) * s.g
        return s.fc(pool(y + z.permute(0, 3, 1, 2)))

@case(2, 3, 4, 4)
class more_pixel_shuffle(Base):         # superresolution, folded back by unshuffling
    def __init__(s):
        super().__init__(); s.a = cbr(3, 12); s.b = cbr(3, 6); s.c = cbr(24, 7); s.fc = nn.Linear(7, 5)
    def forward(s, x): return s.fc(pool(s.c(F.pixel_unshuffle(s.b(F.pixel_shuffle(s.a(x), 2)), 2))))

@case(2, 3, 8, 8)
class more_returned_map(Base):          # logits, and an inner map with its mean
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 6); s.c = cbr(6, 9); s.fc = nn.Linear(9, 5)
    def forward(s, x): y = s.b(s.a(x)); return s.fc(pool(s.c(y))), F.normalize(pool(y), dim=1)

@case(2, 3, 8, 8)
class more_einsum_head(Base):           # bilinear pooling and a head by einsum
    def __init__(s):
        super().__init__(); s.a = cbr(3, 6); s.b = cbr(3, 5); s.w = nn.Parameter(torch.randn(6, 5, 7)); s.fc = nn.Linear(7, 5)
    def forward(s, x): return s.fc(F.relu(torch.einsum('bchw,bdhw,cdk->bk', s.a(x), s.b(x), s.w)))

@case(2, 6, 8)
class more_attention(Base):             # nn.MultiheadAttention's sums by hand: four heads, a residual, a linear pair
    def __init__(s):
        super().__init__(); s.e = nn.Linear(8, 16); s.q = nn.Linear(16, 16); s.k = nn.Linear(16, 16); s.v = nn.Linear(16, 16); s.o = nn.Linear(16, 16); s.m1 = nn.Linear(16, 24); s.m2 = nn.Linear(24, 16); s.n = nn.LayerNorm(16); s.fc = nn.Linear(16, 5)
    def forward(s, x):
        x = s.e(x); b, t, c = x.shape
        q, k, v = [f(x).view(b, t, 4, -1).transpose(1, 2) for f in (s.q, s.k, s.v)]
        y = torch.softmax(q @ k.transpose(2, 3) / 2.0, -1) @ v
        x = x + s.o(y.transpose(1, 2).reshape(b, t, -1)); x = x + s.m2(F.gelu(s.m1(s.n(x))))
        return s.fc(x.mean(1))

@case(2, 3, 8, 6)
class more_gru_after_conv(Base):        # columns of the image as a sequence
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 5); s.r = nn.GRU(5 * 8, 6, batch_first=True); s.fc = nn.Linear(6, 5)
    def forward(s, x): y, h = s.r(s.b(s.a(x)).permute(0, 3, 1, 2).flatten(2)); return s.fc(y[:, -1])

@case(2, 3, 8, 8)
class more_index_by_channel(Base):      # channels picked by a list of numbers, and one by its number
    def __init__(s):
        super().__init__(); s.a = cbr(3, 10); s.b = cbr(4, 6); s.register_buffer('pick', torch.tensor([7, 1, 4, 1])); s.fc = nn.Linear(6, 5)
    def forward(s, x): y = s.a(x); return s.fc(pool(s.b(y.index_select(1, s.pick) + y[:, 9:10])))

@case(2, 3, 8, 8)
class more_top_channels(Base):          # which channels are read depends on their values
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 8); s.fc = nn.Linear(3, 5)
    def forward(s, x): return s.fc(pool(s.b(s.a(x))).topk(3, 1)[0])

@case(2, 3, 8, 8)
class more_dropout_left_on(Base):
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x): return s.fc(F.dropout(pool(s.b(s.a(x))), 0.5, True))

@case(2, 3, 8, 8)
class more_batch_dependent(Base):       # another way for larger batches
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 6); s.c = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x):
        y = s.a(x)
        if x.size(0) > 2: z = s.b(y)
        else: z = s.c(y)
        return s.fc(pool(z))

@case(2, 3, 8, 8)
class more_softmax_over_channels(Base):  # an attention over channels: every one changes all
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.q = nn.Conv2d(8, 8, 1); s.b = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x): y = s.a(x); return s.fc(pool(s.b(y * torch.softmax(s.q(y), 1))))

@case(2, 3, 8, 8)
class more_channel_max(Base):           # the largest over channels, and a clamp that hides most of a map
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 6); s.m = nn.Conv2d(1, 4, 3, 1, 1); s.fc = nn.Linear(10, 5)
    def forward(s, x): y = s.a(x); return s.fc(torch.cat([pool(s.b(y.clamp(0.0, 0.2))), pool(s.m(y.amax(1, keepdim=True)))], 1))

@case(2, 3, 8, 8)
class more_roll_and_flip(Base):         # channels in another order, added to themselves
    def __init__(s):
        super().__init__(); s.a = cbr(3, 9); s.b = cbr(9, 8); s.fc = nn.Linear(8, 5)
    def forward(s, x): y = s.a(x); z = s.b(y + y.roll(3, 1)); return s.fc(pool(z + z.flip(1)))

@case(2, 3, 8, 8)
class more_shared_gate(Base):           # one squeeze and excitation for two stages
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 8, 3, 2); s.s1 = nn.Linear(8, 3); s.s2 = nn.Linear(3, 8); s.c = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def gated(s, x): return x * torch.sigmoid(s.s2(F.relu(s.s1(pool(x))))).unsqueeze(2).unsqueeze(3)
    def forward(s, x): return s.fc(pool(s.c(s.gated(s.b(s.gated(s.a(x)))))))

@case(2, 3, 8, 8)
class more_shared_between_stages(Base):  # one convolution at two resolutions, a norm of its own at each
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.w = nn.Conv2d(8, 8, 3, 1, 1); s.n1 = nn.BatchNorm2d(8); s.n2 = nn.BatchNorm2d(8); s.d = cbr(8, 8, 3, 2); s.c = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x): y = F.relu(s.n1(s.w(s.a(x)))); return s.fc(pool(s.c(F.relu(s.n2(s.w(s.d(y)))))))

@case(2, 3, 8, 8)
class more_unequal_split(Base):         # a third of the channels one way, the rest another, counted by the tensor
    def __init__(s):
        super().__init__(); s.a = cbr(3, 12); s.b = cbr(4, 6); s.c = cbr(8, 6); s.fc = nn.Linear(12, 5)
    def forward(s, x):
        y = s.a(x); k = y.size(1) // 3
        return s.fc(pool(torch.cat([s.b(y[:, :k]), s.c(y[:, k:])], 1)))

@case(2, 3, 8, 8)
class more_depth_to_space(Base):        # blocks of channels become pixels, in TensorFlow's order
    def __init__(s):
        super().__init__(); s.a = cbr(3, 12); s.b = cbr(3, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x):
        y = s.a(x); n, c, h, w = y.shape
        return s.fc(pool(s.b(y.view(n, 2, 2, c // 4, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, c // 4, 2 * h, 2 * w))))

@case(2, 3, 8, 8)
class more_concat_of_concats(Base):     # joined, joined again with a part of itself, normed in groups that cross the seams
    def __init__(s):
        super().__init__(); s.a = cbr(3, 4); s.b = cbr(3, 6, 1); s.c = cbr(3, 2, 5); s.d = cbr(10, 6); s.n = nn.GroupNorm(3, 24); s.e = nn.Conv2d(24, 7, 1); s.fc = nn.Linear(7, 5)
    def forward(s, x):
        ab = torch.cat([s.a(x), s.b(x)], 1); all = torch.cat([torch.cat([ab, s.c(x)], 1), torch.cat([s.d(ab), ab[:, 2:8]], 1)], 1)
        return s.fc(pool(F.relu(s.e(F.relu(s.n(all))))))

@case(2, 3, 8, 8)
class more_bilinear_pooling(Base):      # every channel of one map times every channel of another
    def __init__(s):
        super().__init__(); s.a = cbr(3, 6); s.b = cbr(3, 4); s.h = nn.Linear(24, 9); s.fc = nn.Linear(9, 5)
    def forward(s, x):
        u = s.a(x).flatten(2); v = s.b(x).flatten(2); z = torch.bmm(u, v.transpose(1, 2)).flatten(1) / 64.0
        return s.fc(F.relu(s.h(torch.sqrt(z + 1.0))))

@case(2, 3, 8, 8)
class more_three_results(Base):
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 6); s.fc = nn.Linear(6, 5); s.fd = nn.Linear(6, 2)
    def forward(s, x): y = pool(s.b(s.a(x))); return s.fc(y), s.fd(y), y

@case(2, 3, 8, 8)
class more_joined_heads(Base):          # boxes and classes of two scales in one result, as of a detector
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 10, 3, 2); s.lat = nn.Conv2d(10, 8, 1); s.t = cbr(8, 6); s.cls = nn.Conv2d(6, 3, 3, 1, 1); s.box = nn.Conv2d(6, 4, 3, 1, 1)
    def forward(s, x):
        y = s.a(x); z = s.b(y); y = y + F.interpolate(s.lat(z), scale_factor=2.0, mode='nearest'); out = []
        for m in [s.t(y), s.t(s.lat(z))]: out.append(torch.cat([s.cls(m), s.box(m)], 1).flatten(2).transpose(1, 2))
        return torch.cat(out, 1)

@case(2, 3, 9, 9)
class more_cropped_unet(Base):          # transposed convolutions overshoot odd maps and are cropped; bilinear beside them
    def __init__(s):
        super().__init__(); s.d1 = cbr(3, 6); s.d2 = cbr(6, 10, 3, 2); s.d3 = cbr(10, 12, 3, 2); s.u2 = nn.ConvTranspose2d(12, 8, 2, 2); s.c2 = cbr(18, 9); s.u1 = nn.ConvTranspose2d(9, 6, 3, 2, 1, 1, groups=3); s.c1 = cbr(21, 7); s.out = nn.Conv2d(7, 3, 1)
    def forward(s, x):
        a = s.d1(x); b = s.d2(a); c = s.d3(b); y = s.c2(torch.cat([s.u2(c)[:, :, :b.size(2), :b.size(3)], b], 1))
        up = F.interpolate(y, size=[x.size(2), x.size(3)], mode='bilinear', align_corners=False)
        return s.out(s.c1(torch.cat([s.u1(y)[:, :, :x.size(2), :x.size(3)], a, up], 1)))

@case(2, 3, 8, 8)
class more_gru_over_channels(Base):     # channels are the steps of a sequence
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 6, 3, 2); s.r = nn.GRU(16, 7, batch_first=True); s.fc = nn.Linear(7, 5)
    def forward(s, x): y, h = s.r(s.b(s.a(x)).flatten(2)); return s.fc(y[:, -1])

@case(2, 3, 8, 8)
class more_einsum_mixing(Base):         # a matrix of its own mixes channels, on either side
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.m = nn.Parameter(torch.randn(8, 7)); s.k = nn.Parameter(torch.randn(6, 7)); s.b = cbr(6, 5); s.fc = nn.Linear(5, 5)
    def forward(s, x):
        y = F.relu(torch.einsum('bchw,cd->bdhw', s.a(x), s.m)); n, c, h, w = y.shape
        return s.fc(pool(s.b(F.relu(torch.matmul(s.k, y.flatten(2))).view(n, -1, h, w))))

@case(2, 3, 8, 8)
class more_seamed_group_norm(Base):     # groups of a norm lie across what was joined
    def __init__(s):
        super().__init__(); s.a = nn.Conv2d(3, 5, 3, 1, 1); s.b = nn.Conv2d(3, 7, 1); s.n = nn.GroupNorm(4, 12); s.c = cbr(12, 8); s.fc = nn.Linear(8, 5)
    def forward(s, x): return s.fc(pool(s.c(F.relu(s.n(torch.cat([s.a(x), s.b(x)], 1))))))

@case(2, 3, 8, 8)
class more_context_residual(Base):      # [N, C, 1, 1] added to [N, C, H, W], and [N, 1, H, W] times it
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.k = nn.Conv2d(8, 1, 1); s.t1 = nn.Conv2d(8, 4, 1); s.n = nn.LayerNorm([4, 1, 1]); s.t2 = nn.Conv2d(4, 8, 1); s.b = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x):
        y = s.a(x); n, c, h, w = y.shape; k = torch.softmax(s.k(y).view(n, 1, h * w), 2)
        context = torch.matmul(y.view(n, c, h * w), k.transpose(1, 2)).view(n, c, 1, 1)
        return s.fc(pool(s.b(y + s.t2(F.relu(s.n(s.t1(context)))))))

@case(2, 3, 8, 8)
class more_modulated(Base):             # FiLM: scales and shifts from another branch, as two halves of one layer
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.g = cbr(3, 6); s.f = nn.Linear(6, 16); s.b = cbr(8, 7); s.fc = nn.Linear(7, 5)
    def forward(s, x):
        scale, shift = s.f(pool(s.g(x))).unsqueeze(2).unsqueeze(3).chunk(2, 1)
        return s.fc(pool(s.b(F.relu(s.a(x) * (1.0 + scale) + shift))))

@case(2, 3, 8, 8)
class more_neighbouring_gates(Base):    # efficient channel attention: a convolution over the axis of channels
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.e = nn.Conv1d(1, 1, 3, padding=1, bias=False); s.b = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x): y = s.a(x); g = torch.sigmoid(s.e(pool(y).unsqueeze(1))).transpose(1, 2).unsqueeze(3); return s.fc(pool(s.b(y * g)))

@case(2, 3, 8, 8)
class more_running_sum(Base):           # every channel holds all before it
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x): return s.fc(pool(s.b(s.a(x).cumsum(1))))

@case(2, 3, 8, 8)
class more_divided_by_width(Base):      # the number of channels is in the arithmetic
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x): y = s.a(x); return s.fc(pool(s.b(y / float(y.size(1)))))

@case(2, 3, 8, 8)
class more_numbered_channels(Base):     # each channel is shifted by its number
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x): y = s.a(x); return s.fc(pool(s.b(y + torch.arange(y.size(1), dtype=y.dtype).view(1, -1, 1, 1) * 0.1)))

@case(2, 3, 8, 8)
class more_standardised_weights(Base):  # a weight is standardised before it is used; another is read by its norm too
    def __init__(s):
        super().__init__(); s.a = nn.Conv2d(3, 8, 3, 1, 1); s.b = nn.Conv2d(8, 6, 3, 1, 1); s.c = cbr(6, 8); s.fc = nn.Linear(8, 5)
    def forward(s, x):
        w = s.b.weight; w = (w - w.mean((1, 2, 3), True)) / (w.std((1, 2, 3), True, True) + 1e-5)
        y = F.relu(F.conv2d(F.relu(s.a(x)), w, s.b.bias, 1, 1)) / s.a.weight.norm()
        return s.fc(pool(s.c(y)))

@case(0, make=lambda: torch.randint(0, 11, (2, 7)))
class more_tied_table(Base):            # the table of words is the classifier too
    def __init__(s):
        super().__init__(); s.e = nn.Embedding(11, 8); s.m1 = nn.Linear(8, 12); s.m2 = nn.Linear(12, 8)
    def forward(s, x): y = s.e(x); y = y + s.m2(F.relu(s.m1(y))); return F.linear(y.mean(1), s.e.weight)

@case(2, 3, 8, 8)
class more_parts_of_a_weight(Base):     # two convolutions by the halves of one parameter
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.w = nn.Parameter(torch.randn(12, 8, 1, 1)); s.b = cbr(6, 7); s.fc = nn.Linear(7, 5)
    def forward(s, x): y = s.a(x); return s.fc(pool(s.b(F.relu(F.conv2d(y, s.w[:6]) + F.conv2d(y, s.w[6:])))))

@case(2, 3, 8, 8)
class more_channel_products(Base):      # attention between channels, of features over pixels
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.q = nn.Conv2d(8, 6, 1); s.k = nn.Conv2d(8, 6, 1); s.v = nn.Conv2d(8, 6, 1); s.b = cbr(6, 7); s.fc = nn.Linear(7, 5)
    def forward(s, x):
        y = s.a(x); n, c, h, w = y.shape; q = F.normalize(s.q(y).flatten(2), dim=2); k = F.normalize(s.k(y).flatten(2), dim=2)
        return s.fc(pool(s.b(torch.relu(q @ k.transpose(1, 2) @ s.v(y).flatten(2)).view(n, -1, h, w))))

@case(2, 3, 8, 8)
class more_experts(Base):               # three experts, mixed by a softmax that sees the input
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.e0 = cbr(8, 6); s.e1 = cbr(8, 6, 1); s.e2 = cbr(8, 6, 5); s.g = nn.Linear(8, 3); s.c = cbr(6, 9); s.fc = nn.Linear(9, 5)
    def forward(s, x):
        y = s.a(x); g = torch.softmax(s.g(pool(y)), 1); all = torch.stack([s.e0(y), s.e1(y), s.e2(y)], 1)
        return s.fc(pool(s.c((all * g.view(-1, 3, 1, 1, 1)).sum(1))))

@case(2, 3, 8, 8)
class more_fourier_filter(Base):        # learnt filters of every channel in the frequencies of the image
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.f = nn.Parameter(torch.randn(8, 8, 5)); s.b = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x): y = s.a(x); return s.fc(pool(s.b(torch.fft.irfft2(torch.fft.rfft2(y) * s.f, s=[8, 8]) + y)))

@case(2, 3, 8, 8)
class more_channel_by_channel(Base):    # one small convolution for each channel in turn
    def __init__(s):
        super().__init__(); s.a = cbr(3, 6); s.w = nn.Conv2d(1, 1, 3, 1, 1); s.b = cbr(6, 7); s.fc = nn.Linear(7, 5)
    def forward(s, x):
        y = s.a(x); parts = []
        for i in range(y.size(1)): parts.append(s.w(y[:, i:i + 1]))
        return s.fc(pool(s.b(F.relu(torch.cat(parts, 1)))))

@case(2, 3, 8, 8)
class more_late_gate(Base):             # a gate that opens at values that no example has
    def __init__(s):
        super().__init__(); s.a = nn.Conv2d(3, 8, 3, 1, 1); s.b = nn.Conv2d(3, 8, 3, 1, 1); s.c = cbr(8, 6); s.fc = nn.Linear(6, 5)
    def forward(s, x): y = F.relu(s.a(x)); return s.fc(pool(s.c(y + F.relu(s.b(x)) * (y.mean((1, 2, 3), True) > 5.0))))

def build(name, seed=0):
    torch.manual_seed(seed)
    cls, make = CASES[name]
    net = cls()
    with torch.no_grad():
        for m in net.modules():
            if isinstance(m, nn.modules.batchnorm._BatchNorm):
                m.running_mean.normal_(0, .2); m.running_var.uniform_(.5, 1.5); m.weight.uniform_(.5, 1.5); m.bias.normal_(0, .3)
            elif isinstance(m, (nn.LayerNorm, nn.GroupNorm)) or getattr(m, 'affine', False):
                m.weight.uniform_(.5, 1.5); m.bias.normal_(0, .3)
    return net.eval(), make()

@case(2, 3, 8, 8)
class more_second_result(Base):         # only the second result notices: beside the border a dead channel says 1/2, at the border less
    heads = ('fc', 'fd')
    def __init__(s):
        super().__init__(); s.a = cbr(3, 8); s.b = cbr(8, 6); s.fc = nn.Linear(6, 5); s.fd = nn.Conv2d(8, 4, 1)
    def forward(s, x):
        y = s.a(x); return s.fc(pool(s.b(y))), s.fd(F.avg_pool2d(torch.sigmoid(y), 3, 1, 1))


def saved(net, x):
    """As a script; weight_norm's hooks cannot be scripted and are traced."""
    try:
        return torch.jit.script(net)
    except Exception:
        return torch.jit.trace(net, x)


def main(folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in CASES:
        net, x = build(name)
        net, x = net.double(), x.double() if x.is_floating_point() else x
        saved(net, x).save(str(folder / (name + ".pt")))
        torch.jit.trace(Holder(x), torch.zeros(1)).save(str(folder / (name + ".input.pt")))


class Holder(nn.Module):
    def __init__(self, x):
        super().__init__()
        self.register_buffer("x", x)

    def forward(self, unused):
        return self.x.clone()


main(sys.argv[1])
