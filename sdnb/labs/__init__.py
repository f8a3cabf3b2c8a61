"""What panels hold and do, without a widget: inputs, outputs, actions.

Each lab is driven from plain Python as well as from its panel (`sdnb.panels`, the same stem).
"""
