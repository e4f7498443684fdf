"""Small nets, one per way in which channels can be coupled."""

import functools
from collections.abc import Callable

import pytest
import torch
from torch import fx, nn
from torch.nn import functional as F

from edgewright.model import ChannelMap, capture, find_channels

SHAPE = (3, 8, 8)


class Small(nn.Module):
    """Named layers, loose parameters, and a function that joins them."""

    def __init__(
        self, run: Callable[[nn.Module, torch.Tensor], torch.Tensor], **parts: nn.Module | torch.Tensor
    ) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, nn.Parameter(part) if isinstance(part, torch.Tensor) else part)
        self.run = run

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.run(self, x)


def conv(inner: int, outer: int, kernel: int = 3, **settings: object) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, kernel, padding=kernel // 2, **settings)


def pooled(x: torch.Tensor) -> torch.Tensor:
    return x.mean((2, 3))


def chain() -> Small:
    return Small(lambda m, x: m.fc(pooled(m.b(F.relu(m.a(x))))), a=conv(3, 4), b=conv(4, 6), fc=nn.Linear(6, 2))


def residual() -> Small:
    def run(m, x):
        x = F.relu(m.bn(m.a(x)))
        return m.fc(pooled(F.relu(x + m.b(x))))

    return Small(run, a=conv(3, 4), bn=nn.BatchNorm2d(4), b=conv(4, 4), fc=nn.Linear(4, 2))


def depthwise() -> Small:
    run = lambda m, x: m.fc(pooled(m.p(F.relu6(m.bn(m.dw(m.a(x)))))))  # noqa: E731
    layers = {"a": conv(3, 4), "dw": conv(4, 8, groups=4), "bn": nn.BatchNorm2d(8), "p": conv(8, 6, 1)}
    return Small(run, **layers, fc=nn.Linear(6, 2))


def concat() -> Small:
    run = lambda m, x: m.fc(pooled(m.c(torch.cat([m.a(x), m.b(x)], 1))))  # noqa: E731
    return Small(run, a=conv(3, 4), b=conv(3, 5), c=conv(9, 3), fc=nn.Linear(3, 2))


def flat() -> Small:
    run = lambda m, x: m.fc(torch.flatten(F.adaptive_avg_pool2d(m.a(x), 2), 1))  # noqa: E731
    return Small(run, a=conv(3, 4), fc=nn.Linear(16, 2))


def padded() -> Small:
    """The shortcut of CIFAR ResNets: channels of zeros on both sides."""

    def run(m, x):
        x = F.relu(m.a(x))
        return m.fc(pooled(F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2)) + m.b(x)))

    return Small(run, a=conv(3, 4), b=conv(4, 8, stride=2), fc=nn.Linear(8, 2))


def squeeze_excite() -> Small:
    def run(m, x):
        x = m.a(x)
        gate = torch.sigmoid(m.e2(F.relu(m.e1(F.adaptive_avg_pool2d(x, 1)))))
        return m.fc(pooled(x * gate))

    return Small(run, a=conv(3, 4), e1=conv(4, 3, 1), e2=conv(3, 4, 1), fc=nn.Linear(4, 2))


def shuffled() -> Small:
    def run(m, x):
        x = m.a(x)
        x = x.view(x.shape[0], 2, 3, 8, 8).transpose(1, 2).reshape(x.shape[0], 6, 8, 8)
        return m.fc(pooled(m.b(x)))

    return Small(run, a=conv(3, 6), b=conv(6, 3), fc=nn.Linear(3, 2))


def shuffle_op() -> Small:
    run = lambda m, x: m.fc(pooled(m.b(F.channel_shuffle(m.a(x), 2))))  # noqa: E731
    return Small(run, a=conv(3, 6), b=conv(6, 3), fc=nn.Linear(3, 2))


def few_groups() -> Small:
    run = lambda m, x: m.fc(pooled(m.g(m.a(x))))  # noqa: E731
    return Small(run, a=conv(3, 8), g=conv(8, 12, groups=2), fc=nn.Linear(12, 2))


def many_groups() -> Small:
    run = lambda m, x: m.fc(pooled(m.g(m.a(x))))  # noqa: E731
    return Small(run, a=conv(3, 8), g=conv(8, 12, groups=4), fc=nn.Linear(12, 2))


def group_norms() -> Small:
    run = lambda m, x: m.fc(pooled(m.n2(m.b(m.n1(m.a(x))))))  # noqa: E731
    return Small(run, a=conv(3, 8), n1=nn.GroupNorm(4, 8), b=conv(8, 6), n2=nn.GroupNorm(1, 6), fc=nn.Linear(6, 2))


def shared() -> Small:
    run = lambda m, x: m.fc(pooled(m.s(F.relu(m.s(m.a(x))))))  # noqa: E731
    return Small(run, a=conv(3, 4), s=conv(4, 4), fc=nn.Linear(4, 2))


def halves() -> Small:
    """The halves of a split go different ways, so they may become unequal."""

    def run(m, x):
        left, right = m.a(x).chunk(2, dim=1)
        return m.fc(pooled(torch.cat([m.b(left), right], 1)))

    return Small(run, a=conv(3, 8), b=conv(4, 5), fc=nn.Linear(9, 2))


def parts() -> Small:
    def run(m, x):
        one, two, three = torch.split(m.a(x), [2, 3, 3], dim=1)
        return m.fc(pooled(torch.cat([m.b(one), two * three], 1)))

    return Small(run, a=conv(3, 8), b=conv(2, 5), fc=nn.Linear(8, 2))


def sliced() -> Small:
    run = lambda m, x: m.fc(pooled(m.b(m.a(x)[:, 1:5])))  # noqa: E731
    return Small(run, a=conv(3, 6), b=conv(4, 3), fc=nn.Linear(3, 2))


def gated() -> Small:
    run = lambda m, x: m.fc(pooled(F.glu(m.a(x), dim=1)))  # noqa: E731
    return Small(run, a=conv(3, 8), fc=nn.Linear(4, 2))


def sloped() -> Small:
    run = lambda m, x: m.fc(pooled(m.act(m.a(x))))  # noqa: E731
    return Small(run, a=conv(3, 4), act=nn.PReLU(4, init=0.3), fc=nn.Linear(4, 2))


def transposed() -> Small:
    run = lambda m, x: m.fc(pooled(m.up(F.relu(m.a(x)))))  # noqa: E731
    return Small(run, a=conv(3, 4), up=nn.ConvTranspose2d(4, 5, 2, stride=2), fc=nn.Linear(5, 2))


def grouped_transposed() -> Small:
    run = lambda m, x: m.fc(pooled(m.up(F.relu(m.a(x)))))  # noqa: E731
    return Small(run, a=conv(3, 4), up=nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2), fc=nn.Linear(6, 2))


def one_channel() -> Small:
    """A convolution of one channel is no depthwise one."""
    run = lambda m, x: m.fc(pooled(m.b(F.relu(m.one(m.a(x))))))  # noqa: E731
    return Small(run, a=conv(3, 4), one=conv(4, 1), b=conv(1, 5), fc=nn.Linear(5, 2))


def enlarged() -> Small:
    run = lambda m, x: m.fc(pooled(m.b(F.interpolate(F.pixel_shuffle(m.a(x), 2), scale_factor=0.5))))  # noqa: E731
    return Small(run, a=conv(3, 12), b=conv(3, 5), fc=nn.Linear(5, 2))


def modern_block() -> Small:
    """A ConvNeXt block: depthwise, layer norm over channels last, two linear layers, layer scale."""

    def run(m, x):
        x = m.a(x)
        y = m.two(F.gelu(m.one(m.norm(m.dw(x).permute(0, 2, 3, 1))))).permute(0, 3, 1, 2)
        return m.fc(pooled(x + m.scale * y))

    layers = {"a": conv(3, 4), "dw": conv(4, 4, groups=4), "norm": nn.LayerNorm(4), "one": nn.Linear(4, 7)}
    return Small(run, **layers, two=nn.Linear(7, 4), scale=torch.rand(4, 1, 1), fc=nn.Linear(4, 2))


def transformer() -> Small:
    """Patches, a class token, positions, two heads of three features, an MLP."""

    def run(m, x):
        x = m.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([m.token.expand(x.shape[0], -1, -1), x], 1) + m.positions
        q, k, v = m.qkv(m.n1(x)).reshape(x.shape[0], 17, 3, 2, 3).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape[0], 17, 6)
        x = x + m.proj(y)
        x = x + m.two(F.gelu(m.one(m.n2(x))))
        return m.fc(x[:, 0])

    layers = {"n1": nn.LayerNorm(5), "qkv": nn.Linear(5, 18), "proj": nn.Linear(6, 5), "n2": nn.LayerNorm(5)}
    layers |= {"one": nn.Linear(5, 7), "two": nn.Linear(7, 5), "fc": nn.Linear(5, 2)}
    loose = {"token": torch.rand(1, 1, 5), "positions": torch.rand(1, 17, 5)}
    return Small(run, patches=nn.Conv2d(3, 5, 2, 2), **layers, **loose)


def written_out_attention() -> Small:
    """matmul, a bias per head and softmax in place of the fused operator; the batch is folded into the heads."""

    def run(m, x):
        x = m.patches(x).flatten(2).transpose(1, 2)  # (B, 16, 6)
        shape = (x.shape[0], 16, 2, 4)
        q, k, v = (part.reshape(shape).transpose(1, 2) for part in m.qkv(x).chunk(3, dim=-1))
        weights = torch.softmax(q * 0.5 @ k.transpose(-2, -1) + m.bias, dim=-1)  # (B, 2, 16, 16)
        folded = torch.bmm(weights.reshape(-1, 16, 16), v.reshape(-1, 16, 4))
        y = folded.view(x.shape[0], 2, 16, 4).transpose(1, 2).reshape(x.shape[0], 16, 8)
        return m.fc(m.proj(y).mean(1))

    layers = {"patches": nn.Conv2d(3, 6, 2, 2), "qkv": nn.Linear(6, 24), "proj": nn.Linear(8, 5), "fc": nn.Linear(5, 2)}
    return Small(run, **layers, bias=torch.rand(1, 2, 16, 16))


def one_head() -> Small:
    """Queries and keys share a width that values have not; with one head both can be cut."""

    def run(m, x):
        x = m.patches(x).flatten(2).transpose(1, 2)
        y = F.scaled_dot_product_attention(m.q(x), m.k(x), m.v(x))
        return m.fc(y.mean(1))

    layers = {"q": nn.Linear(6, 4), "k": nn.Linear(6, 4), "v": nn.Linear(6, 5), "fc": nn.Linear(5, 2)}
    return Small(run, patches=nn.Conv2d(3, 6, 2, 2), **layers)


def einsum_attention() -> Small:
    def run(m, x):
        x = m.patches(x).flatten(2).transpose(1, 2)
        q, k, v = (part.reshape(x.shape[0], 16, 2, 4) for part in m.qkv(x).chunk(3, dim=-1))
        weights = torch.softmax(torch.einsum("bihd,bjhd->bhij", q, k), dim=-1)
        y = torch.einsum("bhij,bjhd->bihd", weights, v).reshape(x.shape[0], 16, 8)
        return m.fc(y.mean(1))

    return Small(run, patches=nn.Conv2d(3, 6, 2, 2), qkv=nn.Linear(6, 24), fc=nn.Linear(8, 2))


def token_mixer() -> Small:
    """A linear layer along the tokens: channels pass through it."""

    def run(m, x):
        x = m.patches(x).flatten(2).transpose(1, 2)  # (B, 16, 6)
        x = x + m.back(F.gelu(m.mix(x.transpose(1, 2)))).transpose(1, 2)
        return m.fc(m.norm(x).mean(1))

    layers = {"mix": nn.Linear(16, 9), "back": nn.Linear(9, 16), "norm": nn.LayerNorm(6), "fc": nn.Linear(6, 2)}
    return Small(run, patches=nn.Conv2d(3, 6, 2, 2), **layers)


def stacked() -> Small:
    """Two branches weighed against each other, as in selective kernels."""

    def run(m, x):
        both = torch.stack([m.a(x), m.b(x)], dim=1)
        weights = torch.softmax(m.w(pooled(both.sum(1))).unflatten(1, (2, 4)), dim=1)
        return m.fc(pooled((both * weights[:, :, :, None, None]).sum(1)))

    return Small(run, a=conv(3, 4), b=conv(3, 4, 1), w=nn.Linear(4, 8), fc=nn.Linear(4, 2))


def token_norm() -> Small:
    """Batch norm over the features of tokens, batch and tokens folded together and taken apart again, as in LeViT."""

    def run(m, x):
        x = m.one(m.patches(x).flatten(2).transpose(1, 2))
        return m.fc(m.bn(x.flatten(0, 1)).reshape_as(x).mean(1))

    layers = {"one": nn.Linear(6, 5), "bn": nn.BatchNorm1d(5), "fc": nn.Linear(5, 2)}
    return Small(run, patches=nn.Conv2d(3, 6, 2, 2), **layers)


def unit_rows() -> Small:
    """Each channel divided by its own length, broadcast back with expand_as."""
    run = lambda m, x: m.fc(m.b(F.normalize(m.a(x), dim=2)).amax((2, 3)))  # noqa: E731
    return Small(run, a=conv(3, 4), b=conv(4, 5), fc=nn.Linear(5, 2))


def detector() -> Small:
    """A YOLO: halves kept, passed on and joined (C2f), pooled copies joined (SPPF), a neck, two places of output."""

    def split_and_join(m, x, first, inner, last):
        parts = list(first(x).chunk(2, 1))
        parts.append(parts[-1] + F.silu(inner(parts[-1])))
        return F.silu(last(torch.cat(parts, 1)))

    def run(m, x):
        fine = split_and_join(m, F.silu(m.stem(x)), m.f1, m.f2, m.f3)
        coarse = m.c1(fine)
        coarse = m.c2(torch.cat([coarse, F.max_pool2d(coarse, 3, 1, 1)], 1))
        joined = torch.cat([F.interpolate(coarse, scale_factor=2.0), fine], 1)
        fine = split_and_join(m, joined, m.n1, m.n2, m.n3)
        found = [torch.cat([m.box(each), m.kind(each)], 1).flatten(2) for each in (fine, m.d(fine))]
        box, kind = torch.cat(found, 2).split((8, 3), 1)
        return torch.cat([box.view(x.shape[0], 4, 2, -1).softmax(2).sum(2), kind.sigmoid()], 1).mean(2)

    layers = {
        "stem": conv(3, 6),
        "f1": conv(6, 8, 1),
        "f2": conv(4, 4),
        "f3": conv(12, 7, 1),
        "c1": conv(7, 5, stride=2),
    }
    layers |= {"c2": conv(10, 6, 1), "n1": conv(13, 10, 1), "n2": conv(5, 5), "n3": conv(15, 6, 1)}
    return Small(run, **layers, d=conv(6, 6, stride=2), box=conv(6, 8, 1), kind=conv(6, 3, 1))


def patchwork() -> Small:
    """Neighbourhoods as views (unfold) and as columns (im2col), weighed, and added up to an image again (col2im)."""

    def run(m, x):
        x = m.a(x)
        near = x.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))  # (B, 4, 4, 4)
        columns = F.unfold(m.b(near), 2, stride=2).view(x.shape[0], 5, 4, 4)  # channels, places, positions
        again = F.fold((columns * m.weights).reshape(x.shape[0], 20, 4), (4, 4), 2, stride=2)
        return m.fc(pooled(again))

    return Small(run, a=conv(3, 4), b=conv(4, 5), weights=torch.rand(1, 1, 4, 4), fc=nn.Linear(5, 2))


def extremes() -> Small:
    """Largest and smallest values: over an axis with their places, over a plane, and of two tensors."""

    def run(m, x):
        x = m.b(torch.max(m.a(x), dim=3, keepdim=True).values)
        return m.fc(torch.max(F.adaptive_max_pool2d(x, 1).flatten(1), m.c(x).flatten(2).min(dim=2)[0]))

    return Small(run, a=conv(3, 4), b=conv(4, 5), c=conv(5, 5), fc=nn.Linear(5, 2))


def statistics() -> Small:
    """Norms that are written out (RMS, GRN, unit length), one gate for all channels, and one factor."""

    def run(m, x):
        x = m.a(x)
        x = x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6) * m.factor
        x = F.gelu(m.b(x)).permute(0, 2, 3, 1)
        energy = x.norm(p=2, dim=(1, 2), keepdim=True)
        x = m.c((x + m.gain * x * energy / (energy.mean(-1, keepdim=True) + 1e-6)).permute(0, 3, 1, 2))
        x = F.normalize(x, dim=1) * torch.sigmoid(m.d(x.mean(1, keepdim=True)) + x.sum(1, keepdim=True))
        return m.fc(pooled(x * m.factor_of_all))

    loose = {"factor": torch.rand(4, 1, 1) + 0.5, "gain": torch.rand(5), "factor_of_all": torch.tensor(1.5)}
    return Small(run, a=conv(3, 4), b=conv(4, 5), c=conv(5, 6, 1), d=conv(1, 1), fc=nn.Linear(6, 2), **loose)


def waves() -> Small:
    """Positions as sines and cosines of every second of some loose frequencies, which thereby stay whole."""

    def run(m, x):
        angles = torch.ones_like(x[:, :1]).cumsum(2)[:, 0, :, :, None] * m.frequencies  # (B, 8, 8, 4)
        known = torch.stack([angles[..., 0::2].sin(), angles[..., 1::2].cos()], 4).flatten(3).permute(0, 3, 1, 2)
        return m.fc(pooled(F.relu(m.a(x) + m.b(known))))

    return Small(run, a=conv(3, 4), b=conv(4, 4, 1), frequencies=torch.rand(4), fc=nn.Linear(4, 2))


def norm_functions() -> Small:
    """Norms that are no layers: RMS norm with a factor, layer norm without one, and one over the features of heads."""

    def run(m, x):
        x = F.rms_norm(m.patches(x).flatten(2).transpose(1, 2), (6,), m.factor)
        q, k, v = m.qkv(F.layer_norm(x, (6,))).reshape(x.shape[0], 16, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(F.rms_norm(q, (4,), m.shared), F.layer_norm(k, (4,)), v)
        return m.fc(y.transpose(1, 2).reshape(x.shape[0], 16, 8).mean(1))

    loose = {"factor": torch.rand(6) + 0.5, "shared": torch.rand(4) + 0.5}
    return Small(run, patches=nn.Conv2d(3, 6, 2, 2), qkv=nn.Linear(6, 24), fc=nn.Linear(8, 2), **loose)


SMALL = {
    each.__name__: each
    for each in (
        chain, residual, depthwise, concat, flat, padded, squeeze_excite, shuffled, shuffle_op, few_groups,
        many_groups, group_norms, shared, halves, parts, sliced, gated, sloped, transposed, grouped_transposed,
        one_channel, enlarged, modern_block, transformer, written_out_attention, one_head, einsum_attention,
        token_mixer, stacked, token_norm, unit_rows, norm_functions, detector, patchwork, extremes, statistics, waves,
    )
}  # fmt: skip


@pytest.fixture(params=SMALL)
def small(request: pytest.FixtureRequest) -> fx.GraphModule:
    """Each small net, captured, with batch norms that do something."""
    return make_small(request.param)


@functools.cache
def make_small(name: str) -> fx.GraphModule:
    """One net for all tests: none may change it, and one of them proves that cutting does not."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = SMALL[name]()
        stir(model)
        return capture(model, SHAPE)


@functools.cache
def map_of(net: fx.GraphModule) -> ChannelMap:
    return find_channels(net)


@pytest.fixture
def channels(small: fx.GraphModule) -> ChannelMap:
    """The coupled channels of `small`."""
    return map_of(small)


@pytest.fixture
def small_net() -> Callable[[str], fx.GraphModule]:
    """The captured small net of a name."""
    return make_small


def stir(model: nn.Module) -> None:
    """Give norms statistics and factors that differ from channel to channel, and no layer weights of zero."""
    for layer in model.modules():
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            layer.running_mean.normal_(0, 0.2)
            layer.running_var.uniform_(0.5, 2)
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)) and layer.weight is not None:
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, 0, 0.2)
        if isinstance(layer, (nn.Conv2d, nn.Linear)) and not layer.weight.any():
            nn.init.normal_(layer.weight, 0, 0.1)


@pytest.fixture
def stirred() -> Callable[[nn.Module], None]:
    return stir
