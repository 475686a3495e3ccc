{# The day of a moment, UTC. #}
{% macro day_of(moment) -%}
    cast(at_timezone({{ moment }}, 'UTC') as date)
{%- endmacro %}

{# Whether an object lives through several attempts, as a PaymentIntent does: docs/adr/0007-attempts.md. #}
{% macro lives_through_several_attempts(provider='provider', provider_object_id='provider_object_id') -%}
    ({%- for name, prefix in var('several_attempts').items() -%}
    {{ ' or ' if not loop.first }}({{ provider }} = '{{ name }}' and starts_with({{ provider_object_id }}, '{{ prefix }}'))
    {%- endfor -%})
{%- endmacro %}

{# Key of dim_decline: the class of a decline and the provider's code. #}
{% macro decline_key(decline_class='decline_class', failure_code='failure_code') -%}
    coalesce({{ decline_class }}, 'unknown') || ':' || coalesce({{ failure_code }}, '')
{%- endmacro %}
