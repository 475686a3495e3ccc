{# The columns of a bronze table, as its contract lists them and as far as the table has them already. #}
{% macro _bronze_columns(table) %}
    {%- set relation = source('bronze', table) -%}
    {%- set key = 'source.' ~ project_name ~ '.bronze.' ~ table -%}
    {%- set present = adapter.get_columns_in_relation(api.Relation.create(
        database=graph.sources[key].database, schema=graph.sources[key].schema, identifier=table
    )) | map(attribute='name') | list -%}
    {%- set columns = [] -%}
    {%- for column in graph.sources[key].columns.values() if column.name in present or not present -%}
        {%- do columns.append(column) -%}
    {%- endfor -%}
    {{ return(columns) }}
{% endmacro %}

{#
  What silver takes of a bronze table: operational columns as they are; of those that the contract marks as personal,
  the keys of `masked_keys` as salted hashes, and nothing else. Nothing that is secret. `except` leaves out more.
#}
{% macro masked_columns(table, except=[]) %}
    {#- Named outside of any condition, so that parsing finds what silver depends on. -#}
    {%- set salt = ref('masking_salt') -%}
    {%- if not execute -%}
        {{ return('*') }}
    {%- endif -%}
    {%- set taken = [] -%}
    {%- for column in _bronze_columns(table) if column.name not in except -%}
        {%- set sensitivity = column.meta.get('sensitivity', 'unknown') -%}
        {%- if sensitivity == 'operational' -%}
            {%- do taken.append(adapter.quote(column.name)) -%}
        {%- elif sensitivity == 'personal' and column.name in var('masked_keys') -%}
            {%- do taken.append(masked(adapter.quote(column.name), salt) ~ ' as ' ~ var('masked_keys')[column.name]) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(taken | join(',\n        ')) }}
{% endmacro %}

{# A personal key that can be joined by and not be read: 32 hexadecimal digits. Null stays null. #}
{% macro masked(expression, salt) -%}
    lower(substr(to_hex(hmac_sha256(to_utf8({{ expression }}), to_utf8((select salt from {{ salt }})))), 1, 32))
{%- endmacro %}
