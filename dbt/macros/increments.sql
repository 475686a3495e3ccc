{#
  Condition on `ingested_at` for rows of batches that an incremental model has not seen yet; "true" when it is built anew.
  A batch has one ingested_at, and one commit. Batches of the last minutes are told apart one by one, since an ingest
  that runs beside another may commit the earlier batch later. The bounds are literals, so that files can be skipped.
#}
{% macro is_new(column='ingested_at') %}
    {%- if not (execute and is_incremental()) -%}
        {{ return('true') }}
    {%- endif -%}
    {%- set overlap = "interval '" ~ var('batch_overlap_minutes') ~ "' minute" -%}
    {%- set seen = run_query(
        'select distinct ingested_at from ' ~ this ~ ' where ingested_at > (select max(ingested_at) from ' ~ this ~ ') - '
        ~ overlap ~ ' order by ingested_at'
    ).columns[0].values() -%}
    {%- if not seen -%}
        {{ return('true') }}
    {%- endif -%}
    {%- set known = [] -%}
    {%- for moment in seen -%}
        {%- do known.append(moment_literal(moment)) -%}
    {%- endfor -%}
    {{ return(column ~ ' > ' ~ known[-1] ~ ' - ' ~ overlap ~ ' and ' ~ column ~ ' not in (' ~ known | join(', ') ~ ')') }}
{% endmacro %}

{# The same, up to what is there now: so that two queries of one run see the same rows. #}
{% macro is_new_up_to_now(relation) %}
    {%- if not execute -%}
        {{ return('true') }}
    {%- endif -%}
    {%- set latest = run_query('select max(ingested_at) from ' ~ relation).columns[0].values()[0] -%}
    {%- if latest is none -%}
        {{ return('false') }}
    {%- endif -%}
    {{ return('ingested_at <= ' ~ moment_literal(latest) ~ ' and ' ~ is_new()) }}
{% endmacro %}

{% macro moment_literal(moment) -%}
    timestamp '{{ moment.strftime("%Y-%m-%d %H:%M:%S.%f") }} UTC'
{%- endmacro %}

{#
  For a model with rows of payments: which of `events` it has to read, as two values.

  from   the moment of the earliest event of a payment that was touched since the last run; none when built anew
  where  a condition that holds for every event, old and new, of the payments that were touched: those with new events
         for which `relevant` holds. Any event, when the model is built anew.

  So a late event changes the rows that it belongs to, however old they are, and no older month is read than they need.
  The model has a column first_event_at: when the earliest event of the row's payment was.
#}
{% macro touched_payments(events, relevant='true') %}
    {%- if not (execute and is_incremental()) -%}
        {{ return({'from': none, 'where': 'true'}) }}
    {%- endif -%}
    {%- set new = is_new() -%}
    {%- set touched = 'select payment_id from ' ~ events ~ ' where (' ~ relevant ~ ') and ' ~ new -%}
    {%- set earliest = run_query(
        'select min(moment) from (select min(provider_created_at) as moment from ' ~ events ~ ' where (' ~ relevant
        ~ ') and ' ~ new ~ ' union all select min(first_event_at) from ' ~ this ~ ' where payment_id in (' ~ touched ~ '))'
    ).columns[0].values()[0] -%}
    {%- if earliest is none -%}
        {{ return({'from': none, 'where': 'false'}) }}
    {%- endif -%}
    {%- set moment = moment_literal(earliest) -%}
    {{ return({
        'from': moment, 'where': 'payment_id in (' ~ touched ~ ') and provider_created_at >= ' ~ moment
    }) }}
{% endmacro %}
