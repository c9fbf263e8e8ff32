from __future__ import annotations

import torch
from torch import nn

from hashzoo.training.averaging import running_average

DECAY = 0.7


def trained(steps, decay=DECAY):
    """A network, its average, and every state that the network was in, by name."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    average = running_average(network, decay)
    states = []
    for _ in range(steps):
        network(torch.randn(8, 3))
        with torch.no_grad():
            for parameter in network.parameters():
                parameter += torch.randn_like(parameter)
        average.update_parameters(network)
        states.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
    return network, average, states


def test_it_is_the_weighted_sum_of_all_that_was():
    _, average, states = trained(20)
    for name, tensor in average.module.state_dict().items():
        if not tensor.is_floating_point():
            continue
        expected = states[0][name].double()
        for done, state in enumerate(states[1:], 1):
            keep = min(DECAY, (1 + done) / (10 + done))
            expected = keep * expected + (1 - keep) * state[name].double()
        assert torch.allclose(tensor.double(), expected, atol=1e-5), name


def test_statistics_of_batch_norms_are_averaged_too():
    network, average, _ = trained(20)
    ours, theirs = average.module[1].running_mean, network[1].running_mean
    assert not torch.equal(ours, theirs)
    assert torch.isfinite(ours).all()


def test_the_start_is_forgotten_in_a_few_steps():
    network, average, states = trained(1, decay=0.999)
    assert all(torch.equal(tensor, states[0][name]) for name, tensor in average.module.state_dict().items())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(5.0)
    for _ in range(60):
        average.update_parameters(network)
    assert all(torch.allclose(parameter, torch.tensor(5.0), atol=0.01) for parameter in average.module.parameters())
