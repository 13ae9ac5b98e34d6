"""The Python node of flights.yaml: plain functions, no import of ours."""


def headlines(worst: list, late_minutes: int) -> list:
    """One line per route, worst first; printed, so that they stand in the node's log.

    Parameters
    ----------
    worst : list of dict
        from_city, to_city, flights, mean_delay (minutes), late_share (0 to 1).
    late_minutes : int
        From which delay on a flight counts as late.
    """
    lines = [
        f"{route['from_city']} to {route['to_city']}: {route['mean_delay']:.0f} minutes late on average"
        f" over {route['flights']:,} flights, {route['late_share']:.0%} of them"
        f" {late_minutes} minutes or more"
        for route in worst
    ]
    for line in lines:
        print(line)
    return lines
